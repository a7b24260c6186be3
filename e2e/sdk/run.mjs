// One scenario of the vendor's JavaScript client against a deployed echo-js.
//
//   node run.mjs <scenario> <url> [arguments]      SLIPWAY_API_KEY is sent as x-api-key
//
// Prints one line of JSON and exits 0, or says on stderr what was not as expected and exits 1.
// Nothing here depends on how long anything takes.

import assert from "node:assert/strict";

import { Client } from "@langchain/langgraph-sdk";

const PATIENCE = 120_000; // then something buffers the stream

const say = (text, more = {}) => ({ input: { messages: [{ role: "user", content: text }], ...more } });
const lastOf = (values) => values.messages.at(-1).content;

const scenarios = {
  /** The graphs that the deployment serves. */
  async assistants(client) {
    const found = await client.assistants.search({ limit: 100 });
    assert.ok(found.length > 0, "there are no assistants");
    return { graphs: found.map((assistant) => assistant.graph_id).sort() };
  },

  /** An event arrives while its run has ten minutes to go: nothing on the way waits for the end. Then a whole stream. */
  async stream(client) {
    const thread = await client.threads.create();
    const start = (delay, more) =>
      client.runs.stream(thread.thread_id, "custom", { ...say("one two three", { delay_ms: delay }), streamMode: ["custom"], ...more });
    let run;
    for await (const { event, data } of start(600_000, { signal: AbortSignal.timeout(PATIENCE), onRunCreated: (created) => (run = created) })) {
      if (event !== "custom") continue;
      assert.deepEqual(data, { index: 0, word: "one", of: 3 });
      await client.runs.cancel(thread.thread_id, run.run_id);
    }
    const words = [];
    for await (const { event, data } of start(1)) {
      if (event === "error") assert.fail(`the run failed: ${JSON.stringify(data)}`);
      if (event === "custom") words.push(data.word);
    }
    assert.deepEqual(words, ["one", "two", "three"]);
    return { events: words.length };
  },

  /** First half of a memory test; what it prints is the second half's argument. */
  async "remember-write"(client) {
    const thread = await client.threads.create();
    const values = await client.runs.wait(thread.thread_id, "memory", say("the first"));
    assert.equal(lastOf(values), "you said: the first");
    return { thread_id: thread.thread_id };
  },

  async "remember-read"(client, threadId) {
    assert.ok(threadId, "remember-read needs the thread's id");
    const values = await client.runs.wait(threadId, "memory", say("the next"));
    assert.match(lastOf(values), /^you said: the first \|.*the next$/, "the thread has forgotten its first message");
    return { thread_id: threadId, messages: values.messages.length };
  },

  async interrupt(client) {
    const thread = await client.threads.create();
    const asked = await client.runs.wait(thread.thread_id, "approve", say("deploy"));
    assert.deepEqual(asked.__interrupt__?.[0]?.value, { question: "May I?", action: "deploy" });
    assert.equal((await client.threads.get(thread.thread_id)).status, "interrupted");
    const done = await client.runs.wait(thread.thread_id, "approve", { command: { resume: "yes" } });
    assert.equal(lastOf(done), "did: deploy");
    assert.equal((await client.threads.get(thread.thread_id)).status, "idle");
    return { thread_id: thread.thread_id };
  },

  async store(client) {
    const namespace = ["e2e", crypto.randomUUID()];
    await client.store.putItem(namespace, "colour", { name: "blue" });
    assert.deepEqual((await client.store.getItem(namespace, "colour"))?.value, { name: "blue" });
    assert.equal((await client.store.searchItems(namespace)).items.length, 1);
    await client.store.deleteItem(namespace, "colour");
    assert.equal((await client.store.searchItems(namespace)).items.length, 0);
    return { namespace };
  },

  /** The client goes away in the middle of a stream: the run is cancelled, and its thread is free. */
  async disconnect(client) {
    const thread = await client.threads.create();
    const leave = new AbortController();
    let run;
    const options = { ...say("work", { delay_ms: 600_000 }), onDisconnect: "cancel", signal: leave.signal, onRunCreated: (created) => (run = created) };
    try {
      for await (const { event } of client.runs.stream(thread.thread_id, "slow", options)) {
        if (event === "metadata") leave.abort();
      }
    } catch (cause) {
      if (!leave.signal.aborted) throw cause;
    }
    assert.ok(run?.run_id, "the client was not told the id of its run");
    await client.runs.join(thread.thread_id, run.run_id); // returns when the run has ended
    const { status } = await client.runs.get(thread.thread_id, run.run_id);
    assert.equal(status, "interrupted", "the run was not cancelled when its client left");
    assert.match(lastOf(await client.runs.wait(thread.thread_id, "echo", say("free"))), /: free \(/);
    return { thread_id: thread.thread_id, run_id: run.run_id };
  },
};

async function main([name, apiUrl, ...rest]) {
  const scenario = scenarios[name];
  if (!scenario || !apiUrl) throw new Error(`usage: run.mjs <${Object.keys(scenarios).join("|")}> <url> [arguments]`);
  const apiKey = process.env.SLIPWAY_API_KEY || null;
  const client = new Client({ apiUrl, apiKey, callerOptions: { maxRetries: 0 } });
  const result = await scenario(client, ...rest);
  console.log(JSON.stringify({ scenario: name, ...result }));
}

main(process.argv.slice(2)).catch((failure) => {
  console.error(`${process.argv[2] ?? "no scenario"}: ${failure.message}`);
  process.exit(1);
});
