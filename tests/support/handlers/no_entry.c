// A library, but no handler.
int no_handler_here(void);

__attribute__((visibility("default"))) int no_handler_here(void)
{
    return 42;
}
