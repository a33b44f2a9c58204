/** {@link workAsAnother} in a process of its own, with what it is to do as its argument. */
import { type OthersWork, workAsAnother } from './another-client.js';

await workAsAnother(JSON.parse(process.argv[2]!) as OthersWork);
