"""A progress topic of 1,000,000 records: the newest is found from the end, in moments."""

import json
import time

import e2e
import oracle

BUILDS = ("release",)
RECORDS = 1000000

with e2e.Case() as case:
    relay = case.up()
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    last = case.progress()[-1]
    text = json.dumps(last, separators=(",", ":"))
    mark = '"generation":%d,' % last["generation"]
    head, tail = text.split(mark)
    producer = oracle.confluent_kafka.Producer({
        "bootstrap.servers": case.kafka.bootstrap, "compression.type": "lz4", "linger.ms": 20,
        "queue.buffering.max.messages": 2000000, "queue.buffering.max.kbytes": 2000000,
        "batch.num.messages": 20000})
    key = case.name + "/0"
    for number in range(1, RECORDS + 1):
        producer.produce(case.progress_topic,
                         '%s"generation":%d,%s' % (head, last["generation"] + number, tail), key)
        if number % 50000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0
    began = time.monotonic()
    relay.start()
    relay.wait_log("epoch.opened", 20)
    took = time.monotonic() - began
    print("open after %.2f s" % took)
    assert took < 10, "open after %.1f s" % took  # generous: other tests have the processors, too
    generation = last["generation"] + RECORDS + 1
    assert "generation=%d " % generation in relay.wait_log("epoch.opened")
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    newest = oracle.progress_records(case.kafka.bootstrap, case.progress_topic, start=-50)[-1][2]
    assert newest["generation"] == generation
    topics = [case.prefix + "order"]
    events = oracle.read_topics(case.kafka.bootstrap, topics)
    truth = oracle.read_truth(case._fresh(), case.prefix)
    faults = oracle.check_events(truth, events) + oracle.check_transactions(truth, events)
    faults += oracle.check_segments(oracle.segment_files.read_python(case.kafka.data_dir, topics),
                                    events)
    assert not faults, faults
