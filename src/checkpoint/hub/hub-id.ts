/**
 * Hub ids: `org/name` or `org/name@revision`, and nothing that could be a path out of the cache.
 *
 * The rules for names are the hub's own; a revision is a branch, tag, commit or reference such as refs/pr/1.
 */
import { fail } from '../../errors.ts';
import { quote } from '../strict-json.ts';

export interface HubId {
  /** `org/name`. */
  readonly repo: string;
  /** `name`. */
  readonly name: string;
  /** Default `main`. */
  readonly revision: string;
}

/** Whether `text` is meant as a hub id: two parts, none of them a relative or absolute path. */
export function looksLikeHubId(text: string): boolean {
  return /^[^/\\\s.~@][^/\\\s@]*\/[^/\\\s.@][^/\\\s@]*(@.*)?$/.test(text);
}

/** @throws 'input' when `text` is not `org/name` or `org/name@revision`. */
export function parseHubId(text: string): HubId {
  const match = /^((?:[\w-][\w.-]*)\/([\w-][\w.-]*))(?:@(.*))?$/.exec(text);
  const repo = match?.[1] ?? '';
  const legal = match !== null && repo.length <= 96 && !/--|\.\.|[.-]$|[.-]\/|(^|\/)-|\.git$/.test(repo);
  if (!legal)
    throw fail(
      'input',
      `hub id ${quote(text)}`,
      'is not org/name of letters, digits, ".", "_" and "-", or org/name@revision; for example openai-community/gpt2.',
    );
  const revision = match[3] ?? 'main';
  if (revision.length > 200 || !/^\w[\w.+-]*(\/\w[\w.+-]*)*$/.test(revision) || /\.\.|\.(\/|$)/.test(revision)) {
    throw fail(
      'input',
      `hub id ${quote(text)}`,
      `has the revision ${quote(revision)}; it should be a branch, tag or commit, e.g. @main.`,
    );
  }
  return { repo, name: match[2], revision };
}

/** Whether a revision is a commit, which never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
