/** What stands in a page for modules that ask Node for something: the same names, the same types, the same answers where there are some. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import * as snapshot from '../../src/checkpoint/hub/snapshot.ts';
import * as snapshotInPage from '../../src/checkpoint/hub/browser/snapshot.ts';
import * as highs from '../../src/circuit/load-highs.ts';
import * as highsInPage from '../../src/circuit/browser/load-highs.ts';
import { SpexlensError } from '../../src/errors.ts';
import * as worker from '../../src/measure/queue/queue-worker.ts';
import * as workerInPage from '../../src/measure/queue/browser/queue-worker.ts';
import * as queued from '../../src/measure/queue/queued-game.ts';
import * as queuedInPage from '../../src/measure/queue/browser/queued-game.ts';
import * as runLog from '../../src/measure/run-log.ts';
import * as runLogInPage from '../../src/measure/browser/run-log.ts';
import * as about from '../../src/platform/about.ts';
import * as aboutInPage from '../../src/platform/browser/about.ts';
import * as charts from '../../src/platform/charts.ts';
import * as chartsInPage from '../../src/platform/browser/charts.ts';
import * as files from '../../src/platform/file-system.ts';
import * as filesInPage from '../../src/platform/browser/file-system.ts';
import { giveFolder, takeBack } from '../../src/platform/given-files.ts';
import * as gpu from '../../src/platform/gpu.ts';
import * as gpuInPage from '../../src/platform/browser/gpu.ts';
import * as http from '../../src/platform/http.ts';
import * as httpInPage from '../../src/platform/browser/http.ts';
import * as packageFiles from '../../src/platform/package-files.ts';
import * as packageFilesInPage from '../../src/platform/browser/package-files.ts';
import * as paths from '../../src/platform/paths.ts';
import * as pathsInPage from '../../src/platform/browser/paths.ts';
import * as runtime from '../../src/platform/runtime.ts';
import * as runtimeInPage from '../../src/platform/browser/runtime.ts';
import * as sha from '../../src/platform/sha256.ts';
import * as shaInPage from '../../src/platform/browser/sha256.ts';
import * as threads from '../../src/platform/threads.ts';
import * as threadsInPage from '../../src/platform/browser/threads.ts';
import { TWINS } from '../../scripts/browser-build.ts';

/** A twin may be called wherever its module is; the compiler holds it. */
const twin = <T extends object>(module: T, inPage: T): readonly [object, object] => [module, inPage];

const PAIRS = {
  'checkpoint/hub/snapshot': twin(snapshot, snapshotInPage),
  'circuit/load-highs': twin(highs, highsInPage),
  'measure/queue/queue-worker': twin(worker, workerInPage),
  'measure/queue/queued-game': twin(queued, queuedInPage),
  'measure/run-log': twin(runLog, runLogInPage),
  'platform/about': twin(about, aboutInPage),
  'platform/charts': twin(charts, chartsInPage),
  'platform/file-system': twin(files, filesInPage),
  'platform/gpu': twin(gpu, gpuInPage),
  'platform/http': twin(http, httpInPage),
  'platform/package-files': twin(packageFiles, packageFilesInPage),
  'platform/paths': twin(paths, pathsInPage),
  'platform/runtime': twin(runtime, runtimeInPage),
  'platform/sha256': twin(sha, shaInPage),
  'platform/threads': twin(threads, threadsInPage),
};

describe('twins of modules in a page', () => {
  it('are all here, but for the one that only has an effect', () => {
    const known = [...Object.keys(PAIRS), 'notebook/self-showing'].map((name) => `src/${name}.ts`);
    expect([...TWINS.keys()].sort()).toEqual(known.sort());
  });

  it.each(Object.entries(PAIRS))('have the same names: %s', (_, [module, inPage]) => {
    expect(Object.keys(inPage).sort()).toEqual(Object.keys(module).sort());
  });

  it('hash alike, in pieces and in one', () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 1000, 100_000]) {
      const bytes = Uint8Array.from({ length }, (_, k) => (k * 131) % 251);
      const hash = shaInPage.createSha256();
      hash.update(bytes.subarray(0, length >> 1));
      hash.update(bytes.subarray(length >> 1));
      expect(hash.hex()).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
    const text = shaInPage.createSha256();
    text.update('grüße');
    expect(text.hex()).toBe(createHash('sha256').update('grüße').digest('hex'));
  });

  it('write the paths of given files as Node does', () => {
    for (const parts of [
      ['given:1/model', 'config.json'],
      ['/a/', '/b'],
      ['a', '', 'b'],
    ])
      expect(pathsInPage.join(...parts)).toBe(path.posix.join(...parts));
    for (const each of ['given:1/model/config.json', '/a/b/', 'a', '/a']) {
      expect(pathsInPage.basename(each)).toBe(path.posix.basename(each));
      expect(pathsInPage.dirname(each)).toBe(path.posix.dirname(each));
    }
  });

  it.each([
    ['Node', files],
    ['a page', filesInPage],
  ])('read given files in %s as files of a disk, until they are taken back', async (_, system) => {
    const folder = giveFolder('model', new Map([['a.txt', new Blob(['0123456789'])]]));
    const file = `${folder}/a.txt`;
    expect((await system.stat(folder)).isDirectory()).toBe(true);
    expect(await system.readdir(folder)).toEqual(['a.txt']);
    expect((await system.stat(file)).size).toBe(10);
    const opened = await system.open(file);
    const into = new Uint8Array(8);
    expect(await opened.read(into, 1, 4, 3)).toEqual({ bytesRead: 4 });
    expect([...into]).toEqual([0, ...new TextEncoder().encode('3456'), 0, 0, 0]);
    expect(await opened.read(into, 0, 8, 8)).toEqual({ bytesRead: 2 });
    await expect(system.stat(`${folder}/b.txt`)).rejects.toMatchObject({ code: 'ENOENT' });
    takeBack(folder);
    await expect(system.readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('say what a page cannot do', async () => {
    const refused: (() => unknown)[] = [
      () => filesInPage.writeText('/a', ''),
      () => threadsInPage.startThread('./worker', ''),
      () => runLogInPage.openRunLog('log', {} as never),
      () => queuedInPage.createQueuedGame({} as never, ''),
      () => workerInPage.startQueueWorker('', {} as never),
      () => highsInPage.loadHighs(),
      () => runtimeInPage.importPackage('@tensorflow/tfjs-node-gpu', 'tensorflow'),
      () => chartsInPage.newDocument(),
    ];
    for (const call of refused) await expect((async () => call())()).rejects.toBeInstanceOf(SpexlensError);
  });
});
