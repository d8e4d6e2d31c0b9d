/* publish/kafka_version: which librdkafka runs, and which of its defects matter to a transactional
 * producer. One of the system is found at run time and may be newer than the one built against.
 * From its CHANGELOG.md; defects that this program works around are listed too, because they
 * explain restarts. */
#include "publish/publish.h"

#include <librdkafka/rdkafka.h>

struct defect {
    uint32_t from;  /* first version that has it: 0xMMmmrr */
    uint32_t fixed; /* first version without it; 0: none yet */
    const char *text;
};

static const struct defect defects[] = {
    {0, 0x020200,
     "an unclean close of a TLS connection under OpenSSL 3 is taken for a permanent error"},
    {0, 0x020300,
     "a produce request that times out after it was stored can end the producer (the "
     "epoch is opened again)"},
    {0, 0x020400, "it computes for the millisecond before each of its timers, instead of sleeping"},
    {0x020200, 0x020500, "large batches can fail to be retried"},
    {0, 0x020500, "a crash when a buffer segment is erased (compression, long client.id)"},
    {0, 0x020a00,
     "metadata refresh can stay with a dead broker, so that the transaction coordinator "
     "is not found until the epoch is opened again"},
    {0x020a00, 0x020a01, "re-bootstrapping can loop"},
    {0, 0x020a01,
     "the first message to a topic can wait for a second (topics are asked for before)"},
    {0, 0x020b01, "all brokers are said to be down though one of them was not tried again"},
    {0, 0x020c00,
     "headers are freed twice where a message cannot be taken (they are handed over in a way that "
     "avoids it)"},
    {0, 0x020e02, "a timer's callback is read without a lock"},
    {0, 0,
     "aborting a transaction of which a response was lost can fail an assertion (such a one is "
     "left "
     "to the next epoch, which ends it)"},
    {0, 0,
     "a producer that is destroyed while its transaction fails can free an error text twice (what "
     "is in flight is reported first, within 300 ms)"},
    {0, 0,
     "a transaction that the broker timed out is reported as fenced (told apart by the claim)"},
};

const char *kafka_library_version(void)
{
    return rd_kafka_version_str();
}

static void list_defects(bool all, struct buf *out)
{
    /* rd_kafka_version() is 0xMMmmrrxx. */
    uint32_t version = (uint32_t)rd_kafka_version() >> 8;
    for (size_t i = 0; i < sizeof defects / sizeof defects[0]; i++) {
        const struct defect *defect = &defects[i];
        if (version < defect->from || (defect->fixed != 0 && version >= defect->fixed))
            continue;
        if (!all && defect->fixed == 0)
            continue;
        buf_add_text(out, defect->text);
        buf_add_char(out, '\n');
    }
}

void kafka_known_defects(struct buf *out)
{
    list_defects(true, out);
}

void kafka_mended_defects(struct buf *out)
{
    list_defects(false, out);
}
