#include "aws/profiles.h"

#include <stdlib.h>
#include <strings.h>

#include "aws/files.h"
#include "aws/ini.h"
#include "base/mem.h"

#define FILE_LIMIT (1024 * 1024)

enum section { SECTION_PROFILE, SECTION_SERVICES };

struct setting {
    enum section section;
    char *name;           // owned; of the profile or services section
    char *key;            // owned; "" marks the section itself
    char *nested;         // owned; "" or the key in key's block
    char *value;          // owned; may be secret
    bool is_bare_default; // [default], which gives way to [profile default]
};

struct profiles {
    struct setting *settings; // owned; later ones win
    size_t count;
    bool has_profile_default;
};

struct reading {
    struct profiles *profiles;
    bool is_credentials; // sections are bare profile names
};

// "profile x" or `profile "a b"`: what follows the word, or false.
static bool after_word(struct bytes section, const char *word,
                       struct bytes *name)
{
    size_t size = strlen(word);

    if (section.size <= size || memcmp(section.data, word, size) != 0 ||
        !strchr(" \t", section.data[size]))
        return false;
    section.data += size;
    section.size -= size;
    while (section.size && strchr(" \t", section.data[0])) {
        section.data++;
        section.size--;
    }
    if (section.size >= 2 && strchr("\"'", section.data[0]) &&
        section.data[section.size - 1] == section.data[0]) {
        section.data++;
        section.size -= 2;
    }
    *name = section;
    return true;
}

static bool classify(const struct reading *reading, struct bytes section,
                     struct setting *setting, struct bytes *name)
{
    *name = section;
    setting->section = SECTION_PROFILE;
    if (reading->is_credentials)
        return true;
    if (bytes_equal(section, BYTES("default"))) {
        setting->is_bare_default = true;
        return true;
    }
    if (after_word(section, "profile", name)) {
        if (bytes_equal(*name, BYTES("default")))
            reading->profiles->has_profile_default = true;
        return true;
    }
    setting->section = SECTION_SERVICES;
    return after_word(section, "services", name);
}

static void add(void *context, const struct ini_entry *entry)
{
    struct reading *reading = context;
    struct profiles *profiles = reading->profiles;
    struct setting setting = {0};
    struct bytes name;

    if (!classify(reading, entry->section, &setting, &name))
        return; // sso-session, plugins and the like
    setting.name = mem_strndup(name.data, name.size);
    setting.key = mem_strndup(entry->key.data, entry->key.size);
    setting.nested = mem_strndup(entry->nested.data, entry->nested.size);
    setting.value = mem_strndup(entry->value.data, entry->value.size);
    if (!(profiles->count & (profiles->count - 1)))
        profiles->settings = mem_realloc(
            profiles->settings, profiles->count ? 2 * profiles->count : 1,
            sizeof(setting));
    profiles->settings[profiles->count++] = setting;
}

static bool load(struct profiles *profiles, const char *path,
                 bool is_credentials, struct error *err)
{
    struct reading reading = {profiles, is_credentials};
    struct buffer text;
    bool ok;

    if (!path)
        return true;
    buffer_init(&text, FILE_LIMIT);
    ok = files_read(path, &text, err);
    if (ok)
        ok = ini_read(buffer_bytes(&text), add, &reading, err) ||
             error_wrap(err, "%s", path);
    else
        ok = err->code == ERROR_NOT_FOUND;
    buffer_wipe(&text);
    return ok;
}

struct profiles *profiles_load(const char *config_path,
                               const char *credentials_path, struct error *err)
{
    struct profiles *profiles = mem_calloc(1, sizeof(*profiles));

    if (load(profiles, config_path, false, err) &&
        load(profiles, credentials_path, true, err))
        return profiles;
    profiles_destroy(profiles);
    return NULL;
}

void profiles_destroy(struct profiles *profiles)
{
    if (!profiles)
        return;
    for (size_t i = 0; i < profiles->count; i++) {
        free(profiles->settings[i].name);
        free(profiles->settings[i].key);
        free(profiles->settings[i].nested);
        mem_wipe_text(profiles->settings[i].value);
    }
    free(profiles->settings);
    free(profiles);
}

// The section's own line has the key "".
static const struct setting *find(const struct profiles *profiles,
                                  enum section section, const char *name,
                                  const char *key, const char *nested)
{
    for (size_t i = profiles->count; i-- > 0;) {
        const struct setting *setting = &profiles->settings[i];

        if (setting->section == section &&
            !(setting->is_bare_default && profiles->has_profile_default) &&
            !strcmp(setting->name, name) && !strcasecmp(setting->key, key) &&
            !strcasecmp(setting->nested, nested))
            return setting;
    }
    return NULL;
}

static const char *value_of(const struct setting *setting)
{
    return setting && setting->value[0] ? setting->value : NULL;
}

bool profiles_has(const struct profiles *profiles, const char *profile)
{
    return find(profiles, SECTION_PROFILE, profile, "", "") != NULL;
}

const char *profiles_get(const struct profiles *profiles, const char *profile,
                         const char *key)
{
    return value_of(find(profiles, SECTION_PROFILE, profile, key, ""));
}

const char *profiles_get_service(const struct profiles *profiles,
                                 const char *profile, const char *service,
                                 const char *key)
{
    const char *name = profiles_get(profiles, profile, "services");

    if (!name)
        return NULL;
    return value_of(find(profiles, SECTION_SERVICES, name, service, key));
}
