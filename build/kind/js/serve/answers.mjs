// The answers under way. The server keeps its own http.Server to itself; Node tells of each request.

import { subscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";

export class Answers extends EventEmitter {
  begun = 0; // so many requests
  #open = new Set();
  #server;

  watch() {
    subscribe("http.server.request.start", ({ response, server }) => this.#begin(response, server));
    return this;
  }

  #begin(response, server) {
    this.#server ??= server;
    this.begun += 1;
    this.#open.add(response);
    this.#tellOfHead(response);
    response.once("close", () => {
      this.#open.delete(response);
      this.emit("change");
    });
  }

  /** Node itself does not tell when an answer begins. */
  #tellOfHead(response) {
    const { writeHead } = response;
    response.writeHead = (...all) => {
      setImmediate(() => this.emit("change"));
      return writeHead.apply(response, all);
    };
  }

  /** Takes no more connections, and closes those that carry nothing. */
  refuseMore() {
    this.#server?.close();
  }

  /** Any answers, or only those that have not begun: the others are then streams that may never end. */
  areOpen({ onlyUnbegun }) {
    return [...this.#open].some((response) => !onlyUnbegun || !response.headersSent);
  }
}
