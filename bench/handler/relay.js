/* What a team writes in an afternoon, for bench/peers: rows of an outbox by a library that reads logical replication,
 * one handler, a producer. At least once, in commit order, acknowledged once it is sent.
 *
 *     node relay.js CONNECTION SLOT PUBLICATION BOOTSTRAP TOPIC_PREFIX
 *
 * Prints "ready" when it streams; ends at SIGTERM when what it has read is sent. */
"use strict";

const { types } = require("pg");
const { Kafka, logLevel } = require("kafkajs");
const { LogicalReplicationService, PgoutputPlugin } = require("pg-logical-replication");

const [connection, slot, publication, bootstrap, prefix] = process.argv.slice(2);
const MOST = 10000; // rows that wait; the library reads on below that
const JSONB = 3802;

types.setTypeParser(JSONB, (text) => text); // goes out as it is

const producer = new Kafka({ clientId: slot, brokers: [bootstrap], logLevel: logLevel.ERROR }).producer();
/* Without a timer: it would acknowledge what has been read and not been sent. */
const service = new LogicalReplicationService(
  { connectionString: connection },
  { acknowledge: { auto: false, timeoutSeconds: 0 }, flowControl: { enabled: true } }
);

let rows = [];
let committed = null; // the end of the last transaction that is whole in rows
let sent = "0/0";
let sending = null;

async function send() {
  while (rows.length > 0) {
    const batch = rows, end = committed, topics = new Map();
    rows = [];
    for (const row of batch) {
      if (!topics.has(row.topic)) topics.set(row.topic, []);
      topics.get(row.topic).push(row.message);
    }
    await producer.sendBatch({
      acks: -1,
      topicMessages: [...topics].map(([topic, messages]) => ({ topic, messages })),
    });
    sent = end;
  }
  sending = null;
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

service.on("data", async (lsn, change) => {
  if (change.tag === "insert") {
    const row = change.new;
    rows.push({
      topic: prefix + ".event." + row.aggregatetype,
      message: { key: row.aggregateid, value: row.payload, headers: { id: row.id, eventType: row.type } },
    });
  } else if (change.tag === "commit") {
    committed = change.commitEndLsn;
    if (sending === null && rows.length === 0) sent = committed; // its rows have gone before it
    else if (sending === null) sending = send().catch(fail);
    if (rows.length > MOST) await sending;
  }
});
service.on("heartbeat", () => service.acknowledge(sent)); // not its own position: rows may wait in the library
service.on("start", () => console.log("ready"));
service.on("error", fail);
setInterval(() => service.acknowledge(sent), 1000);

process.on("SIGTERM", async () => {
  if (sending !== null) await sending;
  await service.acknowledge(sent);
  await service.stop();
  await producer.disconnect();
  process.exit(0);
});

producer
  .connect()
  .then(() => service.subscribe(new PgoutputPlugin({ protoVersion: 1, publicationNames: [publication] }), slot))
  .catch(fail);
