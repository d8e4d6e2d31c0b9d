/* recover/doctor: what `doctor` looks at besides the checks of `check`: which function each is, and
 * those that ask nobody. Each finds one thing or nothing, and changes nothing. */
#include "recover/checks_internal.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Files ---- */

/* One that others can read is an error. */
static int check_file(const char *path, bool *read, struct error *err)
{
    struct stat found;
    if (path == NULL || path[0] == '\0' || stat(path, &found) < 0)
        return 0; /* whoever needs it says so */
    *read = true;
    if (!S_ISREG(found.st_mode) || (found.st_mode & S_IRWXO) == 0)
        return 0;
    struct buf word = BUF_EMPTY;
    error_shell_word(&word, path);
    error_stop(err, REASON_FINDING, "%s holds a secret, and everybody may read it (mode %04o)",
               path, (unsigned)(found.st_mode & 07777));
    error_hint(err, "as its owner");
    error_mend_shell(err, "chmod o= %s", buf_text(&word));
    buf_fini(&word);
    return -1;
}

static const char *property(const struct config_relay *config, const char *name)
{
    for (uint32_t i = 0; i < config->kafka.properties.count; i++)
        if (strcmp(config->kafka.properties.items[i].name.text, name) == 0)
            return config->kafka.properties.items[i].value.text;
    return NULL;
}

static int check_secret_files(struct checking *c, struct error *err)
{
    static const char *const properties[] = {"ssl.key.location", "ssl.keystore.location",
                                             "sasl.kerberos.keytab"};
    const struct config_relay *config = c->o->config;
    const struct config *file = config->process;
    bool read = false;
    if (file->has_secret && check_file(file->path, &read, err) < 0)
        return -1;
    for (uint32_t i = 0; i < file->secret_files.count; i++)
        if (check_file(file->secret_files.items[i].text, &read, err) < 0)
            return -1;
    if (check_file(file->admin.tls_key.text, &read, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (check_file(property(config, properties[i]), &read, err) < 0)
            return -1;
    if (!read)
        checking_passes_over(c, CHECK_SECRET_FILES);
    return 0;
}

/* ---- Libraries ---- */

static int check_librdkafka(struct checking *c, struct error *err)
{
    struct buf defects = BUF_EMPTY;
    kafka_mended_defects(&defects);
    if (defects.len == 0) {
        checking_say(c, CHECK_LIBRDKAFKA, "librdkafka %s (%s), libpq %s", kafka_library_version(),
                     WALFERRY_LIBRDKAFKA, pg_library_version());
    } else {
        const char *end = memchr(defects.ptr, '\n', defects.len);
        error_stop(err, REASON_FINDING,
                   "librdkafka %s (%s) has defects that a later one has not, such as: %.*s",
                   kafka_library_version(), WALFERRY_LIBRDKAFKA,
                   end != NULL ? (int)(end - defects.ptr) : (int)defects.len, defects.ptr);
        error_hint(err, "take a build with the pinned librdkafka (make), or a later one; all of "
                        "them: walferry version");
    }
    buf_fini(&defects);
    return err->kind == ERROR_NONE ? 0 : -1;
}

/* ---- Which is which ---- */

typedef int doctor_function(struct checking *c, struct error *err);

static doctor_function *const functions[CHECK_COUNT] = {
    [CHECK_SECRET_FILES] = check_secret_files,
    [CHECK_LIBRDKAFKA] = check_librdkafka,
    [CHECK_WAL_LEVEL] = doctor_wal_level,
    [CHECK_FREE_SLOT] = doctor_free_slot,
    [CHECK_FREE_SENDER] = doctor_free_sender,
    [CHECK_WAL_LIMIT] = doctor_wal_limit,
    [CHECK_SENDER_TIMEOUT] = doctor_sender_timeout,
    [CHECK_SLOT_TIMEOUT] = doctor_slot_timeout,
    [CHECK_SYNCHRONOUS] = doctor_synchronous,
    [CHECK_CLOCK_DATABASE] = doctor_clock_database,
    [CHECK_IDENTITY] = doctor_identity,
    [CHECK_PRIMARY_KEYS] = doctor_primary_keys,
    [CHECK_OUTBOX_INDEX] = doctor_outbox_index,
    [CHECK_SLOT_STATE] = doctor_slot_state,
    [CHECK_SLOT_READER] = doctor_slot_reader,
    [CHECK_SLOT_ROOM] = doctor_slot_room,
    [CHECK_BROKER] = doctor_broker,
    [CHECK_TRANSACTION_TIMEOUT] = doctor_transaction_timeout,
    [CHECK_TRANSACTION_LOG] = doctor_transaction_log,
    [CHECK_MESSAGE_BYTES] = doctor_message_bytes,
    [CHECK_ACLS] = doctor_acls,
    [CHECK_CLOCK_BROKER] = doctor_clock_broker,
    [CHECK_ROUND_TRIP] = doctor_round_trip,
};

int doctor_check(struct checking *c, enum check_id id, struct error *err)
{
    assert(check_table[id].asker == CHECK_DOCTOR && functions[id] != NULL);
    return functions[id](c, err);
}
