// Loaded before the server (`node --import`): it listens on loopback only, on a free port that
// the system picks, and prints which one. The server itself knows neither.
import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function (_port, ...rest) {
  this.once("listening", () => console.log(`listening on ${this.address().port}`));
  return listen.call(this, { host: "127.0.0.1", port: 0 }, ...rest);
};
