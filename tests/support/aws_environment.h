/*
 * aws_environment: a process environment that says nothing about AWS.
 */
#ifndef POLLARD_AWS_ENVIRONMENT_H
#define POLLARD_AWS_ENVIRONMENT_H

/* Unset every AWS_ and proxy variable, and look for the shared files where
 * there are none. */
void aws_environment_clear(void);

/* Set one; NULL unsets it. */
void aws_environment_set(const char *name, const char *value);

#endif
