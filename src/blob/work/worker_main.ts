/** What a worker runs when the program runs from source. */
import { runWorkWorker } from "./worker.ts";

runWorkWorker();
