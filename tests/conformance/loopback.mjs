// Loaded before the suite (`node --import`): its servers name no address to listen at, which means
// every network of the machine. Here that is loopback alone.
//
// Not `listen` itself is changed, because with an address it reports its port only later, and the
// suite asks at once. Node.js keeps the inner function under this name for programs that wrap it.
import { Server } from 'node:net';

const listen = Server.prototype._listen2;
Server.prototype._listen2 = function (address, port, addressType, ...rest) {
  const everywhere = address === null || address === undefined;
  return everywhere
    ? listen.call(this, '127.0.0.1', port, 4, ...rest)
    : listen.call(this, address, port, addressType, ...rest);
};
