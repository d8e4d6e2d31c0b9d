/* slow_encoder: see the header. */
#include "slow_encoder.h"

#include <stdlib.h>

static int slow_encode(struct encoder *e, const struct content *content, struct arena *arena,
                       struct span *bytes, struct error *err)
{
    struct slow_encoder *slow = (struct slow_encoder *)e;
    if (slow->given < slow->again) {
        slow->given++;
        return ENCODE_AGAIN;
    }
    slow->given = 0;
    slow->made++;
    if (slow->fails)
        return error_data(err, REASON_BAD_VALUE, "no schema takes it");
    return slow->real->ops->encode(slow->real, content, arena, bytes, err);
}

static void slow_close(struct encoder *e)
{
    struct slow_encoder *slow = (struct slow_encoder *)e;
    encoder_close(slow->real);
    free(slow);
}

struct slow_encoder *slow_encoder_in(struct encoder **encoder, uint32_t again)
{
    static const struct encoder_ops ops = {
        .name = "slow", .encode = slow_encode, .close = slow_close};
    struct slow_encoder *slow = calloc(1, sizeof *slow);
    if (slow == NULL)
        abort();
    slow->base.ops = &ops;
    slow->real = *encoder;
    slow->again = again;
    *encoder = &slow->base;
    return slow;
}
