/* validate: `pollard validate`: is this file right, without starting it? */
#ifndef POLLARD_VALIDATE_H
#define POLLARD_VALIDATE_H

int validate_main(int argc, char **argv);

#endif
