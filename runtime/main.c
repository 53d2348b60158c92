#include <stdio.h>

int main(void)
{
    puts("pollard " POLLARD_VERSION);
    return 0;
}
