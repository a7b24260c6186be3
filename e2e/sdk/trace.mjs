// What the vendor's JavaScript client does against the tracing part of a server.
//
//   node trace.mjs <endpoint>      LANGSMITH_API_KEY is the key
//
// Says what is not as expected on stderr and exits 1. Nothing here depends on how long anything takes.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

process.env.LANGSMITH_TRACING = "true";
process.env.LANGSMITH_ENDPOINT = process.argv[2];
process.env.LANGSMITH_PROJECT = "of-javascript";

const { Client, RunTree } = await import("langsmith");
const { traceable } = await import("langsmith/traceable");

const warnings = [];
console.warn = (...said) => warnings.push(said.join(" "));
const client = new Client();
const PICTURE = new Uint8Array(500_000).map((_, i) => i);

async function all(list) {
  const found = [];
  for await (const one of list) found.push(one);
  return found;
}
const names = async (conditions = {}) =>
  (await all(client.listRuns({ projectName: "of-javascript", ...conditions }))).map((run) => run.name).sort();

const shout = traceable(async (text) => text.toUpperCase(), { name: "shout", run_type: "tool", tags: ["beta"], client });
const talk = traceable(
  async (text, picture) => ({ said: await shout(text) }),
  { name: "talk", client, extractAttachments: (text, picture) => [{ picture: ["image/png", picture] }, { text }] },
);
const fail = traceable(async () => { throw new Error("no luck"); }, { name: "fail", client });

// One after the other, compressed as they are queued.
assert.equal(await client.hasProject({ projectName: "of-javascript" }), false);
assert.deepEqual(await talk("hello ☃", PICTURE), { said: "HELLO ☃" });
await assert.rejects(fail());
await client.flush();
await client.awaitPendingTraceBatches();

const runs = await all(client.listRuns({ projectName: "of-javascript" }));
const talked = runs.find((run) => run.name === "talk");
assert.deepEqual(talked.outputs, { said: "HELLO ☃" });
assert.equal(talked.status, "success");
assert.deepEqual(await names(), ["fail", "shout", "talk"]);
assert.deepEqual(await names({ isRoot: false }), ["shout"]);
assert.deepEqual(await names({ error: true }), ["fail"]);
assert.deepEqual(await names({ filter: 'has(tags, "beta")' }), ["shout"]);
const whole = await client.readRun(talked.id, { loadChildRuns: true });
assert.deepEqual(whole.child_runs.map((run) => run.name), ["shout"]);
const kept = whole.s3_urls["attachment.picture"];
const picture = await fetch(kept.presigned_url);
assert.equal(picture.headers.get("content-type"), "image/png");
assert.deepEqual(new Uint8Array(await picture.arrayBuffer()), PICTURE);

// Streamed as a form without a length, as older versions do and this one without compression.
const plain = new Client();
plain._runCompressionDisabled = true;
for (let n = 0; n < 150; n++) {
  const run = new RunTree({ name: `many ${n}`, client: plain, project_name: "many", inputs: { n } });
  await run.postRun();
  await run.end({ n });
  await run.patchRun();
}
await plain.flush();
await plain.awaitPendingTraceBatches();
const many = await all(client.listRuns({ projectName: "many" }));
assert.equal(many.length, 150);
assert.ok(many.every((run) => run.status === "success" && run.inputs.n === run.outputs.n));

// One by one.
const id = randomUUID();
const single = { id, name: "single", run_type: "llm", inputs: { in: 1 }, project_name: "of-javascript", start_time: Date.now() };
await client.createRun(single);
await client.updateRun(id, { outputs: { out: 2 }, end_time: Date.now() });
assert.deepEqual((await client.readRun(id)).outputs, { out: 2 });
await assert.rejects(client.createRun(single), /409/);

// The parent of a distributed trace.
const parent = RunTree.fromHeaders({ "langsmith-trace": talked.dotted_order }, { project_name: "elsewhere", client });
const child = parent.createChild({ name: "from afar", project_name: "elsewhere" });
await child.postRun();
await client.flush();
await client.awaitPendingTraceBatches();
const [far] = await all(client.listRuns({ projectName: "elsewhere" }));
assert.equal(far.parent_run_id, talked.id);
assert.equal(far.status, "pending");

// Projects.
const made = await client.createProject({ projectName: "mine", description: "of this test" });
await assert.rejects(client.createProject({ projectName: "mine" }), /409/);
assert.equal((await client.createProject({ projectName: "mine", upsert: true })).id, made.id);
assert.equal((await client.updateProject(made.id, { description: "another" })).description, "another");
assert.deepEqual((await all(client.listProjects({ nameContains: "ine" }))).map((p) => p.name), ["mine"]);
await client.deleteProject({ projectName: "mine" });
assert.equal(await client.hasProject({ projectName: "mine" }), false);
const project = await client.readProject({ projectName: "of-javascript", includeStats: true });
assert.equal(project.run_count, 4);
assert.ok(project.error_rate > 0 && project.latency_p99 >= project.latency_p50);

// What newer versions ask by.
const page = await client.runs.query({ project_ids: [talked.session_id], selects: ["NAME", "RUN_TYPE"] });
assert.equal(page.items.find((run) => run.name === "shout").run_type, "TOOL");

assert.deepEqual(warnings.filter((w) => !w.includes("deprecated")), []);
console.log("{}");
