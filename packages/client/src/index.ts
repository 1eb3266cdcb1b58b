export * from './types.js';
export * from './errors.js';
export { Api, type Answer, type CallOptions } from './http.js';
export { Feed, type Socket, type SocketClass } from './feed.js';
export { Key, betText, checksummed, withdrawalText, type BetFields, type Signer, type WithdrawalFields } from './sign.js';
export * from './verify.js';
export { TapClient, type BetRequest, type Challenge, type ClientOptions, type Player, type Session } from './client.js';
