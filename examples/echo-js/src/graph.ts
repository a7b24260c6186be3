/**
 * Five graphs without a model: no key, no network, the same answer every time.
 * Each shows one thing that an Agent Server does; README.md says which.
 */
import { setTimeout as pause } from "node:timers/promises";

import {
  Annotation,
  END,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  START,
  StateGraph,
  interrupt,
} from "@langchain/langgraph";
import { AIMessage, type BaseMessage } from "@langchain/core/messages";

const Chat = Annotation.Root({
  ...MessagesAnnotation.spec,
  /** How long `slow` and `custom` take for one step. */
  delay_ms: Annotation<number | undefined>(),
});

type ChatState = typeof Chat.State;

const isHuman = (message: BaseMessage) => message.getType() === "human";

const lastText = ({ messages }: ChatState) => messages.at(-1)?.text ?? "";

const say = (text: string) => ({ messages: [new AIMessage(text)] });

/** Repeats the last message, and counts the ones that the thread holds. */
export const echo = new StateGraph(Chat)
  .addNode("reply", (state) => {
    const prefix = process.env.ECHO_PREFIX ?? "echo";
    return say(`${prefix}: ${lastText(state)} (message ${state.messages.length} of this thread)`);
  })
  .addEdge(START, "reply")
  .addEdge("reply", END)
  .compile();

/** Takes `delay_ms` (2 s unless told) and gives up at once when it is cancelled. */
export const slow = new StateGraph(Chat)
  .addNode("work", async (state, config) => {
    await pause(state.delay_ms ?? 2_000, undefined, { signal: config.signal });
    return {};
  })
  .addNode("reply", (state) => say(`done: ${lastText(state)}`))
  .addEdge(START, "work")
  .addEdge("work", "reply")
  .addEdge("reply", END)
  .compile();

/** Sends one custom event for each word before it answers. */
export const custom = new StateGraph(Chat)
  .addNode("spell", async (state, config: LangGraphRunnableConfig) => {
    const words = lastText(state).split(/\s+/).filter(Boolean);
    for (const [index, word] of words.entries()) {
      config.writer?.({ index, word, of: words.length });
      await pause(state.delay_ms ?? 100, undefined, { signal: config.signal });
    }
    return say(`${words.length} words`);
  })
  .addEdge(START, "spell")
  .addEdge("spell", END)
  .compile();

/** Asks before it acts, and goes on with whatever the person answers. */
export const approve = new StateGraph(Chat)
  .addNode("ask", (state) => {
    const answer: unknown = interrupt({ question: "May I?", action: lastText(state) });
    return say(answer === "yes" ? `did: ${lastText(state)}` : `left alone: ${lastText(state)}`);
  })
  .addEdge(START, "ask")
  .addEdge("ask", END)
  .compile();

/** Answers with everything that the person has said on this thread. */
export const memory = new StateGraph(Chat)
  .addNode("recall", (state) => {
    const said = state.messages.filter(isHuman).map((message) => message.text);
    return say(`you said: ${said.join(" | ")}`);
  })
  .addEdge(START, "recall")
  .addEdge("recall", END)
  .compile();
