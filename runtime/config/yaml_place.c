#include "config/yaml_place.h"

yaml_mark_t yaml_place_of(struct bytes source, size_t offset)
{
    yaml_mark_t place = {0};

    for (size_t i = 0; i < offset && i < source.size; i++) {
        unsigned char c = (unsigned char)source.data[i];

        if (c == '\n') {
            place.line++;
            place.column = 0;
        } else if ((c & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

size_t yaml_place_offset(struct bytes source, yaml_mark_t place)
{
    const char *data = source.data;
    size_t size = source.size, at = 0;

    for (size_t line = 0; line < place.line && at < size; at++)
        line += data[at] == '\n';
    for (size_t column = 0; at < size && data[at] != '\n'; at++)
        if (((unsigned char)data[at] & 0xc0) != 0x80 &&
            column++ == place.column)
            break;
    return at;
}
