import { describe, expect, it } from 'vitest';
import { faultsOf, type Output } from '../../scripts/notebook-faults.ts';

const cells = (...outputs: Output[]): string[] => faultsOf({ cells: [{ cell_type: 'code', source: '', outputs }] });
const html = (svg: string): Output => ({
  output_type: 'display_data',
  data: { 'text/html': ['<div>', svg, '</div>'] },
});

describe('a notebook that was run', () => {
  it('is sound with a picture in it, and no cell that failed', () => {
    expect(cells(html('<svg width="9"><rect width="3" height="3"/></svg>'))).toEqual([]);
  });

  it('has a fault for a cell that failed', () => {
    const failed = { output_type: 'error', ename: 'TypeError', evalue: 'x is\nnot a function' };
    expect(cells(failed)).toEqual(['cell 1 failed: TypeError x is not a function']);
  });

  it('has one for a picture without anything in it, nested ones included, and for no picture at all', () => {
    const empty =
      '<svg width="9"><svg x="0"><rect class="frame" width="3" height="3"/><rect width="0" height="3"/></svg></svg>';
    expect(cells(html(empty))).toEqual(['cell 1 shows an empty picture (text/html)']);
    expect(cells()).toEqual(['shows no picture']);
  });
});
