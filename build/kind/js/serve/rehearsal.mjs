// What the framework does for the first time takes it several times as long. A launcher that stands by has the
// time: it runs a graph of its own, which keeps nothing.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { info } from "./log.mjs";

/** langgraph: the app's copy, which its graphs have loaded. */
export async function rehearse(langgraph) {
  try {
    const { import: entry } = langgraph.manifest.exports["."];
    const module = await import(pathToFileURL(join(langgraph.dir, entry.default ?? entry)).href);
    for await (const _ of graphOf(module).streamEvents({ messages: [message("user")] }, { version: "v2", streamMode: ["values"] }));
  } catch (cause) {
    info("no rehearsal, the first run will be slower", { reason: cause.message });
  }
}

const message = (role) => ({ role, content: "Is this thing on?" });

function graphOf({ END, MessagesAnnotation, START, StateGraph }) {
  const reply = () => ({ messages: [message("ai")] });
  return new StateGraph(MessagesAnnotation).addNode("reply", reply).addEdge(START, "reply").addEdge("reply", END).compile();
}
