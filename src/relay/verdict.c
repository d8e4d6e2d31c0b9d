/* relay/verdict: see verdict.h. It remembers nothing: what the broker refused is kept by the relay
 * from one epoch to the next, what a person decided by the progress record. */
#include "relay/verdict.h"

#include "model/message.h"

#include <assert.h>
#include <string.h>

static const struct config_route *route_of(const struct verdict_facts *facts,
                                           struct verdict_unit unit)
{
    assert(unit.route < facts->routes->count);
    assert(!change_id_is_none(unit.id));
    return &facts->routes->items[unit.route];
}

/* ---- Decided before ---- */

static bool is_skipped(const struct verdict_facts *facts, struct verdict_unit unit)
{
    for (uint32_t i = 0; i < facts->skip_count; i++) {
        const struct skip *skip = &facts->skips[i];
        if (change_id_equal(skip->id, unit.id) &&
            (skip->route[0] == '\0' || strcmp(skip->route, route_of(facts, unit)->name.text) == 0))
            return true;
    }
    return false;
}

static const struct verdict_refusal *find_refusal(const struct verdict_facts *facts,
                                                  struct verdict_unit unit)
{
    return facts->refused != NULL ? refusals_find(facts->refused, unit) : NULL;
}

bool verdict_wants_letters(const struct verdict_facts *facts, uint32_t route)
{
    assert(route < facts->routes->count);
    const struct config_route *r = &facts->routes->items[route];
    return r->on_error == ON_ERROR_DEAD_LETTER || r->oversize.policy == OVERSIZE_DEAD_LETTER;
}

/* Or put into the table of claims. */
static bool is_to_be_cut(const struct config_route *route, enum reason reason)
{
    return reason == REASON_MESSAGE_TOO_LARGE && (route->oversize.policy == OVERSIZE_TRUNCATE ||
                                                  route->oversize.policy == OVERSIZE_CLAIM_CHECK);
}

bool verdict_measures(const struct verdict_facts *facts, struct verdict_unit unit)
{
    const struct verdict_refusal *refusal = find_refusal(facts, unit);
    return refusal != NULL && !refusal->uncut &&
           is_to_be_cut(route_of(facts, unit), refusal->reason);
}

enum verdict verdict_before(const struct verdict_facts *facts, struct verdict_unit unit,
                            struct error *err)
{
    if (is_skipped(facts, unit)) {
        char id[CHANGE_ID_TEXT_MAX];
        change_id_format(facts->system_identifier, unit.id, id);
        log_event(facts->log, LOG_WARN, "change.passed_over", "route",
                  route_of(facts, unit)->name.text, "id", id, NULL);
        metrics_add_route(facts->metrics, METRIC_SKIPPED, unit.route, 1);
        *err = ERROR_INIT;
        return VERDICT_PASS_OVER;
    }
    const struct verdict_refusal *refusal = find_refusal(facts, unit);
    if (refusal == NULL || verdict_measures(facts, unit))
        return VERDICT_PUBLISH;
    error_data(err, refusal->reason, "%s", refusal->text);
    return verdict_on_event(facts, unit, err);
}

/* ---- on_error ---- */

/* What is wrong is most often the file or the topic; to pass the change over loses it. Where other
 * routes may have taken the change, too, the mend names this one. */
static void word_end(const struct verdict_facts *facts, const struct config_route *route,
                     const char *id, struct error *err)
{
    error_wrap(err, "route %s, change %s", route->name.text, id);
    struct buf cause = BUF_EMPTY;
    error_advice(err, NULL, &cause);
    if (cause.len == 0)
        buf_add_format(&cause, "mend route %s in the file, or what its rows hold",
                       route->name.text);
    error_hint(err, "%s, and start again; only to lose this change for good", buf_text(&cause));
    buf_fini(&cause);
    if (facts->routes->count > 1)
        error_mend(err, "skip %s --route %s", id, route->name.text);
    else
        error_mend(err, "skip %s", id);
}

/* What cannot be cut is as any other error. */
static enum on_error on_error_of(const struct config_route *route, const struct error *err)
{
    if (err->reason != REASON_MESSAGE_TOO_LARGE)
        return route->on_error;
    switch (route->oversize.policy) {
    case OVERSIZE_STOP:
        return ON_ERROR_STOP;
    case OVERSIZE_SKIP:
        return ON_ERROR_SKIP;
    case OVERSIZE_DEAD_LETTER:
        return ON_ERROR_DEAD_LETTER;
    case OVERSIZE_ON_ERROR:
    case OVERSIZE_TRUNCATE:
    case OVERSIZE_CLAIM_CHECK:
        break;
    }
    return route->on_error;
}

/* The route's on_error decides; but of an UPDATE of an outbox its own word for that. */
static enum verdict policy_of(const struct config_route *route, const struct error *err)
{
    if (err->reason == REASON_INVALID_OPERATION)
        return route->router.invalid_operation == INVALID_OPERATION_ERROR ? VERDICT_PASS_OVER
                                                                          : VERDICT_END;
    switch (on_error_of(route, err)) {
    case ON_ERROR_SKIP:
        return VERDICT_PASS_OVER;
    case ON_ERROR_DEAD_LETTER:
        return VERDICT_DEAD_LETTER;
    case ON_ERROR_STOP:
        break;
    }
    return VERDICT_END;
}

bool verdict_ends(const struct verdict_facts *facts, struct verdict_unit unit,
                  const struct error *err)
{
    assert(err->kind == ERROR_DATA);
    if (!message_has_route(unit.route))
        return false;
    const struct config_route *route = route_of(facts, unit);
    return policy_of(route, err) == VERDICT_END && !is_to_be_cut(route, err->reason);
}

static enum verdict decide(const struct verdict_facts *facts, struct verdict_unit unit,
                           char id[CHANGE_ID_TEXT_MAX], struct error *err)
{
    assert(err->kind == ERROR_DATA);
    const struct config_route *route = route_of(facts, unit);
    change_id_format(facts->system_identifier, unit.id, id);
    metrics_add_reason(facts->metrics, METRIC_ERRORS, "data", 1);
    enum verdict verdict = policy_of(route, err);
    if (verdict == VERDICT_PASS_OVER)
        metrics_add_route(facts->metrics, METRIC_SKIPPED, unit.route, 1);
    else if (verdict == VERDICT_END)
        word_end(facts, route, id, err);
    return verdict; /* a dead letter is counted once it is committed */
}

enum verdict verdict_on_event(const struct verdict_facts *facts, struct verdict_unit unit,
                              struct error *err)
{
    assert(err->kind == ERROR_DATA); /* all else closes the epoch and is nobody's verdict */
    char id[CHANGE_ID_TEXT_MAX];
    const char *route = route_of(facts, unit)->name.text;
    enum verdict verdict = decide(facts, unit, id, err);
    if (verdict == VERDICT_DEAD_LETTER)
        log_event(facts->log, LOG_WARN, "event.dead_letter", "route", route, "id", id, "reason",
                  reason_slug(err->reason), "error", err->text, NULL);
    if (verdict != VERDICT_PASS_OVER)
        return verdict;
    log_event(facts->log, LOG_WARN, "event.skipped", "route", route, "id", id, "reason",
              reason_slug(err->reason), "error", err->text, NULL);
    *err = ERROR_INIT;
    return verdict;
}

enum verdict verdict_on_message(const struct verdict_facts *facts, struct verdict_unit unit,
                                struct error *err)
{
    char id[CHANGE_ID_TEXT_MAX];
    const char *route = route_of(facts, unit)->name.text;
    enum verdict verdict = decide(facts, unit, id, err);
    if (verdict == VERDICT_DEAD_LETTER)
        log_event(facts->log, LOG_WARN, "message.dead_letter", "route", route, "id", id, "reason",
                  reason_slug(err->reason), "error", err->text, NULL);
    if (verdict != VERDICT_PASS_OVER)
        return verdict;
    log_event(facts->log, LOG_WARN, "message.skipped", "route", route, "id", id, "reason",
              reason_slug(err->reason), "error", err->text, NULL);
    *err = ERROR_INIT;
    return verdict;
}

const char *verdict_refused(const struct verdict_facts *facts, struct verdict_unit unit)
{
    const struct verdict_refusal *refusal = find_refusal(facts, unit);
    assert(refusal == NULL || refusal->text[0] != '\0');
    return refusal != NULL ? refusal->text : NULL;
}

/* ---- Answers to commands ---- */

static void tell_unanswered(const struct verdict_facts *facts, struct change_id id, const char *why)
{
    char text[CHANGE_ID_TEXT_MAX];
    change_id_format(facts->system_identifier, id, text);
    log_event(facts->log, LOG_WARN, "command.unanswered", "id", text, "error", why, NULL);
}

bool verdict_answers(const struct verdict_facts *facts, struct change_id id)
{
    const struct verdict_unit unit = {id, MESSAGE_NO_ROUTE};
    if (find_refusal(facts, unit) == NULL)
        return true;
    tell_unanswered(facts, id, "the broker refuses this record by itself");
    return false;
}

void verdict_on_answer(const struct verdict_facts *facts, struct change_id id, struct error *err)
{
    assert(err->kind == ERROR_DATA);
    tell_unanswered(facts, id, err->text);
    *err = ERROR_INIT;
}

/* ---- Where transactions begin and end ---- */

static void tell_unmarked(const struct verdict_facts *facts, struct change_id id, const char *why)
{
    char text[CHANGE_ID_TEXT_MAX];
    change_id_format(facts->system_identifier, id, text);
    log_event(facts->log, LOG_WARN, "transaction.unmarked", "id", text, "error", why, "hint",
              "consumers of delivery.transaction_topic miss where this transaction begins or ends; "
              "raise max.message.bytes of the topic",
              NULL);
}

bool verdict_marks(const struct verdict_facts *facts, struct change_id id)
{
    const struct verdict_unit unit = {id, MESSAGE_MARK};
    if (find_refusal(facts, unit) == NULL)
        return true;
    tell_unmarked(facts, id, "the broker refuses this record by itself");
    return false;
}

void verdict_on_mark(const struct verdict_facts *facts, struct change_id id, struct error *err)
{
    assert(err->kind == ERROR_DATA);
    tell_unmarked(facts, id, err->text);
    *err = ERROR_INIT;
}

void verdict_on_own(const struct verdict_facts *facts, struct verdict_unit unit, struct error *err)
{
    assert(!message_has_route(unit.route));
    if (unit.route == MESSAGE_MARK)
        verdict_on_mark(facts, unit.id, err);
    else
        verdict_on_answer(facts, unit.id, err);
}

int verdict_on_letter(const struct verdict_facts *facts, struct verdict_unit unit,
                      struct error *err)
{
    struct error cause = *err;
    char id[CHANGE_ID_TEXT_MAX];
    error_stop(err, REASON_DEAD_LETTER_REFUSED, "a dead letter of route %s, change %s: %s",
               facts->routes->items[unit.route].name.text,
               change_id_format(facts->system_identifier, unit.id, id), cause.text);
    return error_hint(err, "%s", cause.hint[0] != '\0' ? cause.hint : "mend dead_letter.topic");
}

int verdict_on_state(struct span topic, struct error *err)
{
    struct error cause = *err;
    error_stop(err, REASON_QUARANTINE_TOPIC, "topic %.*s does not take a record: %s",
               SPAN_ARG(topic), cause.text);
    return error_hint(err, "%s", cause.hint[0] != '\0' ? cause.hint : "mend that topic");
}
