"""The mutants: each breaks one thing on purpose, and one named test must notice.

  name       what is wrong then
  breaks     the invariant of docs/ARCHITECTURE.md, or what else is promised
  where      files in which the expressions are looked for; the rest of the path may change
  changes    (expression, replacement): the expression stands once in `where`; blanks and line
             breaks between its tokens do not matter
  killer     what is run: "sim", "sim 400" (seeds, 50 otherwise), "unit <program>", "broker <program>" (a test
             program that wants a Kafka), "e2e <number>"
  says       what the killer's output must hold (a regular expression): the name of the test, or
             what the simulator found

A mutant without a fast killer is worth a test: write it, then name it here."""

import collections

Mutant = collections.namedtuple("Mutant", "name breaks where changes killer says")

READER = ["src/relay/reader*.c", "src/relay/fill*.c", "src/relay/seal*.c", "src/relay/verdict*.c"]
WRITER = ["src/relay/writer*.c", "src/relay/verdict*.c"]
STREAM = ["src/source/*.c"]
PROGRESS = ["src/progress/*.c"]
PUBLISH = ["src/publish/*.c"]
OPEN = ["src/relay/open*.c", "src/recover/*.c"]

# What the model Kafka holds in the end is not what the database committed.
WRONG_EVENTS = r"lost, repeated or out of order|more events in Kafka"

MUTANTS = [
    # ---- I1: never confirmed beyond what Kafka has committed ----
    Mutant("confirmed-before-commit", "I1", READER,
           [("channel_send(r->o.circuit->full, batch);",
             "source_confirm(r->o.source, batch->end, batch->resume); channel_send(r->o.circuit->full, batch);")],
           "sim", r"I1: a status update"),
    Mutant("keepalive-confirmed-with-data-in-flight", "I1", STREAM,
           [("standby_asked(&s->standby, wal_end, now_us);",
             "{ standby_asked(&s->standby, wal_end, now_us);"
             " standby_confirm(&s->standby, wal_end); }")],
           "sim", r"I1: a status update"),
    Mutant("keepalive-inside-a-transaction-moves-the-position", "I1", STREAM,
           [("if (decoder_in_transaction(s->decoder)) return 0;", "")],
           "unit source_stream_changes_test", r"FAILED.*marks_move_the_position"),
    Mutant("mark-beside-batches-in-flight", "I1", READER,
           [("return !state->in_txn && state->away == 0;", "return !state->in_txn;")],
           "unit relay_reader_seal_test", r"FAILED.*a_mark_waits_until_everything_has_returned"),

    Mutant("slot-moved-before-the-server-is-known", "a restored server is refused", STREAM,
           [("asked ? witness->confirmed_lsn : options->start.lsn", "options->start.lsn")],
           "unit source_stream_changes_test", r"FAILED.*the_last_transaction_comes_again"),
    Mutant("another-history-gone-on-with", "a restored server is refused", STREAM,
           [("if (s->witness_state == WITNESS_ALONE || !is_witness(s))", "if (false)")],
           "unit source_stream_changes_test", r"FAILED.*another_history_is_refused"),
    Mutant("last-transaction-forgotten-between-batches", "a server that is the same goes on", WRITER,
           [("w->tail.ended = before;", "")],
           "sim", r"nothing more was to come|does not come again"),
    Mutant("last-transaction-guessed-at-a-cut", "a server that is the same goes on", WRITER,
           [("{.ended = {.unknown = true}}", "{.ends_txn = false}")],
           "sim", r"nothing more was to come|does not come again"),

    # ---- I2: nothing begins before progress was read by this producer ----
    Mutant("begun-before-recovery", "I2", OPEN,
           [("int result = r->ledger->ops->read(r->ledger, *publisher, &newest, &before, err);",
             "if (found->have_progress) return 0;"
             " int result = r->ledger->ops->read(r->ledger, *publisher, &newest, &before, err);")],
           "e2e 010", r"failed: 010_"),
    Mutant("recovery-reads-nothing", "I2", PUBLISH,
           [("kafka_txn_recovered(txn, buf_span(&progress.newest), progress.end);",
             "kafka_txn_recovered(txn, buf_span(&progress.newest), progress.end); buf_reset(record);")],
           "broker publisher_contract_test", r"FAILED.*the_newest_committed_record_is_recovered"),

    Mutant("committed-behind-progress-that-was-not-read", "I2", PUBLISH,
           [("if (txn->read_end >= 0 && check_reading(txn, err) < 0)",
             "if (txn->read_end >= 0 && false && check_reading(txn, err) < 0)")],
           "broker publisher_kafka_test", r"FAILED.*progress_that_was_not_read"),

    # ---- I3: (generation, position) increases ----
    Mutant("generation-repeated", "I3", OPEN, [("p->generation++;", "")],
           "e2e 043", r"failed: 043_"),
    Mutant("position-not-moved", "I3", PROGRESS,
           [("next->position = batch->end;", "next->position = (struct position){last->position.lsn, batch->end.seq};")],
           "unit progress_follow_test", r"FAILED.*an_advance_takes_the_batchs_end"),
    Mutant("regress-accepted-by-the-rule", "I3", PROGRESS,
           [("order < 0 || (order == 0 && a->mode != b->mode) : order <= 0;", "true : true;")],
           "unit progress_follow_test", r"FAILED.*within_a_generation_the_position_grows"),
    Mutant("regress-accepted-at-read", "I3", OPEN,
           [("progress_follows(&previous, newest))", "newest != NULL)")],
           "e2e 111", r"failed: 111_"),

    # ---- I4: events and their progress in one Kafka transaction ----
    Mutant("commit-in-mid-transaction", "I4", WRITER,
           [("if (batch->ends_txn || too_old(w, now_us))", "if (batch != NULL)"),
            ("if (w->last.partial.final_lsn == 0 || message->id.final_lsn !="
             " w->last.partial.final_lsn)", "if (w != NULL)")],
           "sim", r"I4: a transaction is spread"),
    Mutant("parts-not-flagged", "I4", WRITER,
           [("if (w->last.partial.final_lsn == 0 || message->id.final_lsn !="
             " w->last.partial.final_lsn)", "if (w != NULL)")],
           "sim", r"I4: a transaction is spread"),
    Mutant("progress-in-another-transaction", "I4", PUBLISH,
           [("if (!txn->in_transaction && begin(txn, err) < 0)",
             "rd_kafka_t *rk = txn->session->transactional.rk;"
             " if (txn->in_transaction) { rd_kafka_flush(rk, 10000);"
             " rd_kafka_commit_transaction(rk, 10000); txn->in_transaction = false; }"
             " if (!txn->in_transaction && begin(txn, err) < 0)")],
           "broker publisher_contract_test", r"FAILED.*events_and_their_record_are_there_together"),

    # ---- Order under at_least_once, where no transaction takes events back ----
    Mutant("nobody-asked-after-a-pause", "order", PUBLISH,
           [("if (kafka_check_claim(&p->txn, err) < 0)", "if (false)")],
           "broker publisher_kafka_test", r"FAILED.*asks_after_a_pause"),
    Mutant("on-behind-a-refused-record", "order", PUBLISH,
           [('set(conf, "enable.gapless.guarantee", "true");', "(void)how;")],
           "broker publisher_kafka_test", r"FAILED.*nothing_overtakes_a_refused_record"),
    Mutant("stop-keeps-half-a-transaction", "I4", READER,
           [("batch_truncate(r->batch, r->boundary_count);", "")],
           "sim", WRONG_EVENTS),
    Mutant("sealed-inside-a-transaction", "I4", READER,
           [("if (state->in_txn) return part_due", "if (state->in_txn && state->open_parts) return part_due")],
           "sim", r"Assertion `!ends_txn \|\|"),

    # ---- Progress by construction: what comes back with the data changes something ----
    Mutant("what-arrives-slowly-is-never-sealed", "progress", READER,
           [("return !input_empty && batch->count > 0 &&", "return false && !input_empty && batch->count > 0 &&")],
           "unit relay_seal_test", r"FAILED.*batches_are_sealed_by_the_rules"),
    Mutant("silence-seals-a-part", "progress", READER,
           [("return !input_empty && batch->count > 0 &&", "return batch->count > 0 &&")],
           "unit relay_seal_test", r"FAILED.*batches_are_sealed_by_the_rules"),
    Mutant("a-stall-teaches-nothing", "progress", ["src/relay/lessons.c"],
           [("lessons->patient = true;", "lessons->patient = false;")],
           "unit relay_lessons_test", r"FAILED.*a_stall_is_the_last_of_its_kind"),
    Mutant("a-part-of-a-row-is-not-heard", "progress", STREAM,
           [("listen_to_parts(s, now_us); return drain(", "if (false) listen_to_parts(s, now_us); return drain(")],
           "e2e 164", r"failed: 164_"),

    Mutant("names-that-are-no-topics-stay", "memory has a ceiling", PUBLISH,
           [("topics->table.count - topics->kept <= MISSING_MAX", "topics->kept <= MISSING_MAX")],
           "unit publish_in_use_test", r"FAILED.*names_that_are_no_topics_are_dropped"),
    Mutant("trouble-teaches-nothing", "progress", ["src/relay/lessons.c"],
           [("pace_failed(pace, err->reason);", "(void)pace;")],
           "unit relay_lessons_test", r"FAILED.*what_took_too_long_is_smaller_the_next_time"),
    Mutant("a-burst-fills-the-window", "progress", ["src/relay/pace.c"],
           [("if (!is_faster(pace->speed, pace->before))", "if (pace->before.us < 0)")],
           "unit relay_pace_test", r"FAILED.*no_burst_makes_a_record_wait_too_long"),
    Mutant("a-round-is-waited-for", "progress", ["src/relay/pace.c"],
           [("else if (now_us - pace->round_us > pace->timeout_us / ROUND_LONG_DIVISOR) shrink(pace, now_us);", "")],
           "unit relay_pace_test",
           r"FAILED.*what_is_not_acknowledged_for_long_makes_it_smaller_meanwhile"),
    Mutant("requests-counted-for-connections", "progress", PUBLISH,
           [("now_us) > LOST_TOGETHER_US)", "now_us) >= 0)")],
           "unit publish_strict_test", r"FAILED.*requests_of_one_connection_count_once"),
    Mutant("a-verdict-though-larger-ones-came-through", "progress", PUBLISH,
           [("message->bytes > kafka_memory_largest(memory, clock_monotonic_us())",
             "message->bytes + 0 * (size_t)memory->largest_us > 0")],
           "unit publish_report_test", r"FAILED.*what_is_no_matter_of_size_blames_nobody"),
    Mutant("a-configuration-known-for-ever", "progress", PUBLISH,
           [("return known != NULL && now_us - known->learnt_us < KEEP_US ? known : NULL;",
             "return now_us >= 0 ? known : NULL;")],
           "unit publish_memory_test", r"FAILED.*a_topic_is_known_for_minutes"),
    # ---- I5: no handle is used after an unknown outcome ----
    Mutant("used-after-an-unknown-outcome", "I5", WRITER,
           [("commit_done(w); return result;",
             "commit_done(w); return result == STEP_FAILED ? STEP_WAIT : result;")],
           "sim", r"I5: a publisher was used after an error"),

    # ---- I6: every recovery drops what is done, and only that ----
    Mutant("second-guard-dropped", "I6", STREAM,
           [("s->dropping = final_lsn < s->start_lsn;", "s->dropping = false;")],
           "sim", WRONG_EVENTS + r"|although the stream is at"),
    Mutant("second-guard-takes-the-adjacent", "I6", STREAM,
           [("s->dropping = final_lsn < s->start_lsn;", "s->dropping = final_lsn <= s->start_lsn;")],
           "sim", WRONG_EVENTS + r"|was published in part|nothing more was to come"),
    Mutant("resume-repeats-one", "I6", STREAM,
           [("s->ordinal <= s->partial.done)", "s->ordinal < s->partial.done)")],
           "sim", WRONG_EVENTS),
    Mutant("resume-leaves-one-out", "I6", STREAM,
           [("s->ordinal <= s->partial.done)", "s->ordinal <= s->partial.done + 1)")],
           "sim", WRONG_EVENTS),
    Mutant("keepalive-forgets-the-part", "I6", STREAM,
           [("if (s->partial_state == PARTIAL_AWAITED) {", "if (false) {")],
           "sim", WRONG_EVENTS + r"|I4: a transaction is spread|was published in part"),
    Mutant("future-position-accepted", "I6", ["src/recover/origin_wal_judge.c"],
           [("if (p->position.lsn > slot->current_lsn) {", "if (false) {")],
           "unit recover_origin_wal_judge_test", r"FAILED.*a_position_in_the_future_is_refused"),
    Mutant("gap-before-the-slot-accepted", "I6", ["src/recover/origin_wal_judge.c"],
           [("if (slot->confirmed_lsn > p->position.lsn) {", "if (false) {")],
           "unit recover_origin_wal_judge_test", r"FAILED.*a_slot_advanced_behind_our_back_is_refused"),

    # ---- What else is promised ----
    Mutant("dones-off-by-one", "split", READER,
           [(".done = r->cursor.seq}", ".done = r->cursor.seq - 1}")],
           "sim", r"Assertion `next->partial.final_lsn == 0"),
    Mutant("part-counts-one-too-many", "split", READER,
           [("batch->end = r->cursor;",
             "batch->end = (struct position){r->cursor.lsn, r->cursor.seq + 1};"),
            (".done = r->cursor.seq}", ".done = r->cursor.seq + 1}")],
           "sim", WRONG_EVENTS + r"|it has fewer changes now"),
    Mutant("split-by-what-was-handed-over", "split", WRITER,
           [("*done = &batch->messages[w->next - 1];", "*done = &batch->messages[w->next];")],
           "sim", WRONG_EVENTS),
    Mutant("a-batch-is-never-cut", "split", WRITER,
           [("batch->resume.ptr == NULL && !change_id_equal(batch->messages[w->next - 1].id,",
             "batch->resume.ptr == NULL && !change_id_equal(batch->messages[w->next].id,")],
           "unit relay_writer_cut_test", r"FAILED.*an_old_transaction_is_cut_inside_a_batch"),
    Mutant("pace-forgotten", "progress", WRITER,
           [("if (!pace_takes(", "if (false && !pace_takes(")],
           "unit relay_writer_cut_test", r"FAILED.*no_more_is_handed_over_than_the_window_holds"),
    Mutant("as-large-after-trouble", "progress", ["src/relay/pace*.c"],
           [("bytes / FAILED_DIVISOR", "bytes")],
           "unit relay_pace_test", r"FAILED.*after_trouble_the_next_epoch_begins_smaller"),
    Mutant("batch-returned-before-its-reports", "batches", WRITER,
           [("!producing && !batch->ends_txn && batch->outstanding == 0",
             "!producing && !batch->ends_txn")],
           "unit relay_writer_test", r"FAILED.*an_unreported_batch_stays"),
    Mutant("verdict-forgotten", "on_error", READER,
           [("if (!is_refused(facts, unit)) return VERDICT_PUBLISH;",
             "if (!is_refused(facts, unit) || facts != NULL) return VERDICT_PUBLISH;")],
           "unit relay_reader_end_test", r"FAILED.*a_condemned_change_is_a_data_error"),
    Mutant("refusal-of-one-route-hits-all", "on_error", READER,
           [("if (verdict_unit_equal(facts->refused[i], unit))",
             "if (change_id_equal(facts->refused[i].id, unit.id))")],
           "unit relay_reader_end_test", r"FAILED.*a_refusal_is_of_one_route_alone"),
    Mutant("skip-of-one-route-hits-all", "skip", READER,
           [("strcmp(skip->route, route_of(facts, unit)->name.text) == 0))",
             "strcmp(skip->route, route_of(facts, unit)->name.text) != 9999))")],
           "unit relay_reader_end_test", r"FAILED.*a_skip_may_be_of_one_route_alone"),
    Mutant("rest-of-a-refused-unit-goes-out", "on_error", WRITER,
           [("w->passed_over = unit;", "")],
           "unit relay_writer_test", r"FAILED.*what_follows_a_refused_message_of_its_unit"),
    Mutant("skip-forgotten", "skip", READER,
           [("if (is_skipped(facts, unit)) {", "if (false && is_skipped(facts, unit)) {")],
           "unit relay_reader_end_test", r"FAILED.*what_a_person_skipped_is_passed_over"),
    Mutant("skip-dropped-too-early", "skip", PROGRESS,
           [("|| skip->id.ordinal > progress->partial.done;",
             "|| skip->id.ordinal > progress->partial.done + 1;")],
           "unit progress_follow_test", r"FAILED.*skips_among_the_changes_of_a_part_go"),
    # ---- What the server sends ----
    Mutant("fingerprint-ignored", "never silently", OPEN,
           [("if (seen.lsn == 0 && strcmp(recorded, out->now.id.hash) == 0)", "if (recorded[0] != 0)")],
           "unit recover_opening_test",
           r"FAILED.*what_may_have_lost_rows_is_refused_before_anything_is_taken"),
    Mutant("a-loss-taken-for-growth", "never silently", OPEN,
           [("return refuse(out, err);", "(void)refuse;")],
           "unit recover_opening_test",
           r"FAILED.*what_may_have_lost_rows_is_refused_before_anything_is_taken"),
    Mutant("put-back-is-as-before", "never silently", OPEN,
           [("bool back = list_has(&texts->members_now, table);",
             "bool back = list_has(&texts->members_now, table); if (back) return;")],
           "unit recover_fingerprint_test", r"FAILED.*what_was_put_back"),
    Mutant("guard-passed-unseen", "never silently", READER,
           [("r->phase = READER_GUARDED;", "")],
           "unit relay_reader_guard_test", r"FAILED.*nothing_behind_it_is_taken"),
    Mutant("guard-passed-while-it-runs", "never silently", ["src/relay/lookout*.c"],
           [("if (running == xid) return false;", "")],
           "unit relay_lookout_test", r"FAILED.*what_a_snapshot_says"),
    Mutant("changed-and-gone-on", "never silently", ["src/relay/lookout*.c"],
           [("l->changed = true;", "")],
           "unit relay_lookout_test", r"FAILED.*what_was_put_back_is_a_change"),
    Mutant("versions-ignored-at-a-guard", "never silently", ["src/relay/lookout*.c"],
           [("if (touched->names.len > 0) {", "if (false && touched->names.len > 0) {")],
           "unit relay_lookout_test", r"FAILED.*what_was_put_back_is_a_change"),
    Mutant("versions-since-the-newest-look", "never silently", ["src/relay/lookout*.c"],
           [("l->ahead.xid != 0 && guard->id.final_lsn >= l->ahead.lsn;", "l->ahead.xid != 0;")],
           "unit relay_lookout_test", r"FAILED.*since_when_it_matters"),
    Mutant("seen-and-undone-is-forgotten", "never silently", OPEN,
           [("if (seen->text.ptr != NULL &&", "if (false && seen->text.ptr != NULL &&")],
           "unit recover_opening_test", r"FAILED.*what_was_seen_is_refused_though_it_is_undone"),
    Mutant("from-the-newest-look-on", "a range holds all that may be missing", ["src/relay/lookout*.c"],
           [("same->id.xid < l->ripening.next_xid", "false")],
           "unit relay_lookout_test", r"FAILED.*from_where_on_rows_may_be_missing"),
    # ---- What rows may reach ----
    Mutant("progress-is-a-destination", "never silently", PUBLISH,
           [("topic->partitions = topic->reserved == NULL ? asked->partitions : 0;",
             "topic->partitions = asked->partitions;")],
           "broker publisher_kafka_test", r"FAILED.*a_row_reaches_no_topic_that_is_laid_out_as_progress"),
    Mutant("denials-forgotten-one-by-one", "progress", PUBLISH,
           [("table_put(&memory->denied, name, memory); memory->denied_us = now_us;",
             "table_put(&memory->denied, name, memory);"
             " if (memory->denied.count == 1) memory->denied_us = now_us;")],
           "unit publish_memory_test", r"FAILED.*what_is_denied_is_forgotten_a_while_after_the_newest"),
    Mutant("hidden-behind-anothers-transaction", "never silently", PUBLISH,
           [("*hidden = ours && !first_is_ours;", "*hidden = false; (void)first_is_ours;")],
           "broker publisher_kafka_test",
           r"FAILED.*a_look_is_not_hidden_behind_the_transaction_of_another"),
    # ---- Encodings ----
    Mutant("bytes-taken-for-text", "topic, key and headers are UTF-8", ["src/types/types_encoding.c"],
           [("return is_utf8(bytes);", "return is_utf8(bytes) || true;")],
           "unit types_encoding_test", r"FAILED.*test_sql_ascii"),
    Mutant("message-in-another-encoding", "no other event than the database's", ["src/types/types_encoding.c"],
           [("if (encoding == NULL || ascii_length(bytes) == bytes.len)",
             "if (encoding == NULL || encoding->kind == TEXT_OTHER || ascii_length(bytes) == bytes.len)")],
           "unit decode_texts_test", r"FAILED.*test_converted_by_the_server"),
]
