/**
 * A process that measures some ways of one backend: it answers the questions of protocol.ts one after the other.
 *
 * Every way has a process of its own, so that the most memory it ever held is the way's; those with a saving switched off
 * share one. Between its turns it waits.
 */
import * as tf from '@tensorflow/tfjs-core';
import { loadModel, type Model } from '../../src/model/model.ts';
import type { Job } from './job.ts';
import { openVariant, type Opened } from './backends.ts';
import { profile } from './flops.ts';
import { matMulPeak, type Peak } from './peak.ts';
import type { Answers, Question, Questions } from './protocol.ts';
import { createWay, type Way, type WaySpec } from './ways.ts';

interface Open {
  readonly job: Job;
  readonly backend: Opened;
  readonly model: Model;
  readonly ways: Map<string, Way>;
  peak?: Peak;
}

let open: Open | undefined;
const opened = (): Open => {
  if (open === undefined) throw new Error('nothing is open');
  return open;
};

const answer: { readonly [K in Question]: (given: Questions[K]) => Promise<Answers[K]> } = {
  async open({ job, backend: name }) {
    const backend = await openVariant(name);
    const model = await loadModel(job.folder);
    open = { job, backend, model, ways: new Map() };
    const { device, gpu, selfCheckError } = backend;
    return {
      device,
      gpu,
      selfCheckError,
      versions: backend.versions,
      parameters: model.parameterCount,
      loadedBytes: process.memoryUsage().rss,
    };
  },
  async prepare(spec: WaySpec) {
    const { model, job, ways } = opened();
    const way = createWay(model, job, spec);
    ways.set(spec.name, way);
    return { batch: way.batch, masks: way.masks, values: Array.from(await way.run()) };
  },
  async measure({ name }) {
    const { job, ways } = opened();
    const way = ways.get(name) as Way;
    const [clock, cpu] = [performance.now(), process.cpuUsage()];
    let runs = 0;
    do {
      await way.run();
      runs++;
    } while (performance.now() - clock < 1000 * job.seconds);
    const { user, system } = process.cpuUsage(cpu);
    const rows = runs * way.masks;
    return {
      runs,
      rowsPerSecond: (1000 * rows) / (performance.now() - clock),
      rowsPerCpuSecond: (1e6 * rows) / (user + system),
    };
  },
  async profile({ name }) {
    const way = opened().ways.get(name) as Way;
    return { ...(await profile(() => way.run())), rows: way.masks };
  },
  async peak() {
    const { model, peak } = opened();
    const { dModel, dMlp } = model.config;
    const found = await matMulPeak(dModel, dMlp, peak);
    opened().peak ??= found;
    return found;
  },
  async memory() {
    return { peakBytes: process.resourceUsage().maxRSS * 1024, tensors: tf.memory().numTensors };
  },
  async close() {
    const { backend, model, ways } = opened();
    for (const way of ways.values()) way[Symbol.dispose]();
    model[Symbol.dispose]();
    backend.close();
    return undefined;
  },
};

process.on('SIGINT', () => undefined); // Ctrl-C reaches the whole group; the one who asks decides
process.on('disconnect', () => process.exit());
process.on('message', (message: { readonly question: Question; readonly given: never }) => {
  answer[message.question](message.given).then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
