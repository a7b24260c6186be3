// A plain JavaScript app: no compiler, no lock file, one graph as a value and one as a function.
import { readFileSync } from "node:fs";

import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { AIMessage, HumanMessage } from "@langchain/core/messages";

const { name } = JSON.parse(readFileSync("package.json", "utf8")); // relative to the app's folder

const graphThatSays = (text) =>
  new StateGraph(MessagesAnnotation)
    .addNode("say", (state) => ({ messages: [new AIMessage(text(state))] }))
    .addEdge(START, "say")
    .addEdge("say", END);

const humans = (messages) => messages.filter((message) => message.constructor === HumanMessage).length;

/** Not compiled: the server does that. Tells whether remembered messages are of the app's own classes. */
export const count = graphThatSays(
  ({ messages }) => `${name}: ${messages.length} ${process.env.COUNT_LABEL}, ${humans(messages)} from a person`,
);

export const makeLazy = async () => graphThatSays(() => "made for this run").compile();
