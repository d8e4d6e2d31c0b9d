"""Many topics and partitions; a key goes to the partition that the Java client would choose."""

import base64
import os
import subprocess

import e2e

JAVA = """
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
public class Partition {
    public static void main(String[] arguments) throws Exception {
        var in = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; )
            System.out.println(BuiltInPartitioner.partitionForKey(
                java.util.Base64.getDecoder().decode(line), Integer.parseInt(arguments[0])));
    }
}
"""
COUNT, TOPICS = 7, 20

with e2e.Case(partitions=COUNT) as case:
    relay = case.up()
    case.sql("""
        WITH r AS (SELECT i, repeat(chr(97 + i % 26), i % 40 + 1) || i || CASE WHEN i % 3 = 0
                       THEN chr(228 + i) ELSE '' END AS key FROM generate_series(1, 1000) AS i),
        o AS (INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)
              SELECT 'type-' || i %% {0}, key, 'Put', to_jsonb(i) FROM r
              RETURNING id, aggregatetype, aggregateid, payload)
        INSERT INTO e2e.truth SELECT id::text, aggregatetype, aggregateid, payload::int,
            md5(payload::text) FROM o""".format(TOPICS).replace("%%", "%"))
    case.drain(relay=relay)
    case.stop(relay)
    events = case.judge()
    assert len({event.topic for event in events}) == TOPICS
    source = os.path.join(case.dir, "Partition.java")
    with open(source, "w") as file:
        file.write(JAVA)
    answer = subprocess.run(
        [case.kafka.java, "-cp", os.path.join(case.kafka.jars, "*"), source, str(COUNT)],
        input="\n".join(base64.b64encode(event.key).decode() for event in events),
        stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert [event.partition for event in events] == [int(number) for number in answer]
    assert len(set(answer)) == COUNT
