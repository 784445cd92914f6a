/** `npm run bench:install`: everything that `npm run bench` compares with, before its first use. */
import { progress } from '../run.js';
import { installPeer, PEERS } from './peers.js';

for (const name of PEERS) {
  try {
    progress(`${name}: ${await installPeer(name)}`);
  } catch (error) {
    process.exitCode = 1;
    progress(`${name} cannot be installed: ${(error as Error).message}`);
  }
}
