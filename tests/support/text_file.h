/*
 * text_file: small files that tests write.
 */
#ifndef POLLARD_TEXT_FILE_H
#define POLLARD_TEXT_FILE_H

/* Write text to folder/name. The path; caller frees. */
char *text_file_write(const char *folder, const char *name, const char *text);

#endif
