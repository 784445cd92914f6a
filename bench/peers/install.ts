/** `npm run bench:install`: everything that `npm run bench` measures beside, ahead of its first use. */
import { installPeer, PEERS } from './peers.js';

const progress = (text: string) => process.stderr.write(`${text}\n`);

for (const name of PEERS) {
  try {
    progress(`${name}: ${await installPeer(name, progress)}`);
  } catch (error) {
    process.exitCode = 1;
    progress(`${name} cannot be installed: ${(error as Error).message}`);
  }
}
