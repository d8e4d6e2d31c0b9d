/* publish/kafka_look_log: looks at __transaction_state, in which Kafka's coordinators record what
 * becomes of transactions: a commit that was answered and is lost there was no commit. */
#include "publish/kafka_destination.h"
#include "publish/kafka_topics.h"

#include <assert.h>
#include <inttypes.h>

#define TRANSACTION_LOG "__transaction_state"

static int judge(const struct kafka_options *options, const struct kafka_topic_facts *facts,
                 const struct kafka_topic_settings *settings, struct error *err)
{
    struct buf weak = BUF_EMPTY;
    kafka_destination_weak(TRANSACTION_LOG, facts->replicas, settings, &weak);
    if (weak.len > 0)
        error_stop(err, REASON_FINDING,
                   "%s: transactions that Kafka has answered as committed may be undone by the "
                   "loss of a broker",
                   buf_text(&weak));
    buf_fini(&weak);
    if (err->kind == ERROR_NONE)
        return 0;
    char servers[KAFKA_SERVERS_MAX];
    kafka_servers(options->kafka, servers);
    error_hint(err, facts->replicas < 2
                        ? "give it three replicas (kafka-reassign-partitions.sh), and set "
                          "transaction.state.log.replication.factor and .min.isr of the brokers"
                        : "as an administrator of Kafka");
    if (facts->replicas < 2)
        return -1;
    return error_mend_shell(err,
                            "kafka-configs.sh --bootstrap-server %s --alter --topic %s "
                            "--add-config min.insync.replicas=2,"
                            "unclean.leader.election.enable=false",
                            servers, TRANSACTION_LOG);
}

static int look(struct kafka_client *client, const struct kafka_options *options, bool *asked,
                struct error *err)
{
    struct kafka_topic_facts facts = {.partitions = 0};
    struct kafka_topic_settings settings;
    int64_t deadline_us = kafka_deadline_us(options);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(client->rk, TRANSACTION_LOG, NULL);
    if (rkt == NULL)
        return 0;
    int result =
        kafka_topic_facts(client, rkt, deadline_us, "Describe", KAFKA_DOUBT_NONE, &facts, err);
    rd_kafka_topic_destroy(rkt);
    if (result < 0 && err->reason == REASON_ACL_DENIED) {
        *err = ERROR_INIT;
        return 0;
    }
    if (result < 0 || facts.partitions == 0 || facts.brokers < 2)
        return result;
    *asked = true;
    if (kafka_topic_settings(client, TRANSACTION_LOG, deadline_us, &settings, err) < 0)
        return -1;
    return judge(options, &facts, &settings, err);
}

int kafka_look_at_transactions(const struct kafka_options *options, bool *asked, struct error *err)
{
    assert(options != NULL && asked != NULL);
    struct kafka_client client;
    const struct kafka_client_options how = {.options = options, .role = KAFKA_ADMIN};
    *asked = false;
    if (kafka_client_open(&client, &how, err) < 0)
        return -1;
    int result = look(&client, options, asked, err);
    kafka_client_close(&client);
    return result;
}
