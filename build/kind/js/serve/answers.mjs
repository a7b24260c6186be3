// The answers under way. The server keeps its own http.Server to itself; Node tells of each request.

import { subscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { Server } from "node:http";

export class Answers extends EventEmitter {
  begun = 0; // so many requests
  #open = new Set();
  #connections = new Set(); // those that became WebSockets among them
  #isCut = false;
  #server;

  watch() {
    subscribe("http.server.request.start", ({ response, server }) => this.#begin(response, server));
    subscribe("net.server.socket", ({ socket }) => socket.server instanceof Server && this.#accept(socket));
    return this;
  }

  #accept(connection) {
    if (this.#isCut) return connection.destroy();
    this.#connections.add(connection);
    connection.once("close", () => this.#connections.delete(connection));
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

  /** From now on nobody is answered, whatever has begun. */
  cut() {
    this.#isCut = true;
    for (const connection of this.#connections) connection.destroy();
  }

  /** Any answers, or only those that have not begun: the others are then streams that may never end. */
  areOpen({ onlyUnbegun }) {
    return [...this.#open].some((response) => !onlyUnbegun || !response.headersSent);
  }
}
