// One copy of LangGraph and its core in the process: the app's.
//
// The server lies in a folder of its own with copies of its own. Left alone it would load those beside
// the app's: twice the memory, and two classes of each message. So its imports of them are resolved as
// if the app's first graph had written them, and the checkpoint package as if LangGraph had.

import * as module from "node:module";

const SHARED = /^@langchain\/(core|langgraph)(\/|$)/;
const CHECKPOINT = /^@langchain\/langgraph-checkpoint(\/|$)/;

/** serverURL: the server package's folder; entryURL: a module of the app. */
export function shareWithApp(serverURL, entryURL) {
  if (module.registerHooks) module.registerHooks({ resolve: resolver({ serverURL, entryURL }) });
  else module.register(import.meta.url, { data: { serverURL, entryURL } });
}

function resolver({ serverURL, entryURL }) {
  return (specifier, context, next) => {
    if (!context.parentURL?.startsWith(serverURL)) return next(specifier, context);
    if (SHARED.test(specifier)) return next(specifier, { ...context, parentURL: entryURL });
    if (CHECKPOINT.test(specifier)) return viaLangGraph(specifier, context, next, entryURL);
    return next(specifier, context);
  };
}

function viaLangGraph(specifier, context, next, entryURL) {
  const found = next("@langchain/langgraph", { ...context, parentURL: entryURL });
  const follow = ({ url }) => next(specifier, { ...context, parentURL: url });
  return typeof found.then === "function" ? found.then(follow) : follow(found);
}

// Before Node 22.15 hooks run in a thread of their own, which imports this module and calls these two.

let resolveThere;

export function initialize(data) {
  resolveThere = resolver(data);
}

export function resolve(specifier, context, next) {
  return resolveThere(specifier, context, next);
}
