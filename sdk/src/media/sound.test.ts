import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AudioGraph } from './audio-graph.ts';
import { SCORES } from './scores.ts';
import { Sound } from './sound.ts';

let context: FakeContext;
let sources: FakeSource[];

class FakeContext {
  state: 'suspended' | 'running' | 'interrupted' = 'suspended';
  currentTime = 0;
  destination = {};
  onstatechange: (() => void) | null = null;
  resumed = 0;
  constructor() {
    context = this;
  }
  async resume(): Promise<void> {
    this.resumed++;
  }
  async close(): Promise<void> {}
  become(state: FakeContext['state']): void {
    this.state = state;
    this.onstatechange?.();
  }
}

class FakeNode {
  readonly context: FakeContext;
  readonly gain = { target: 1, setTargetAtTime: (target: number) => (this.gain.target = target) };
  constructor(context: FakeContext) {
    this.context = context;
  }
  connect<T>(next: T): T {
    return next;
  }
  disconnect(): void {}
}

class FakeSource extends FakeNode {
  stopped = false;
  onended: (() => void) | undefined;
  start(): void {
    sources.push(this);
  }
  stop(): void {
    this.stopped = true;
  }
}

beforeEach(() => {
  sources = [];
  vi.useFakeTimers();
  vi.stubGlobal('document', new EventTarget());
  vi.stubGlobal('AudioContext', FakeContext);
  vi.stubGlobal('GainNode', FakeNode);
  vi.stubGlobal('AudioBufferSourceNode', FakeSource);
  vi.stubGlobal(
    'AudioBuffer',
    class {
      copyToChannel(): void {}
    },
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function create() {
  const told: boolean[] = [];
  const graph = new AudioGraph(() => told.push(graph.blocked));
  const sounds = {
    ring: new Sound(graph, SCORES.ring),
    chime: new Sound(graph, SCORES.chime),
  };
  return { graph, told, ...sounds };
}

describe('AudioGraph', () => {
  it('is not opened before somebody needs it', () => {
    create();
    expect(sources).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('asks to run again when it was suspended, and leaves an interrupted context alone', () => {
    const { graph } = create();
    graph.open();
    context.become('running');
    const before = context.resumed;
    context.become('interrupted');
    expect(context.resumed).toBe(before);
    context.become('suspended');
    expect(context.resumed).toBe(before + 1);
  });

  it('asks to run again when the person touches the page, until it is closed', () => {
    const { graph } = create();
    graph.open();
    const before = context.resumed;
    document.dispatchEvent(new Event('pointerup'));
    expect(context.resumed).toBe(before + 1);
    graph.close();
    document.dispatchEvent(new Event('pointerup'));
    expect(context.resumed).toBe(before + 1);
  });
});

describe('Sound', () => {
  it('that goes on blocks the page when it is held back, until it runs or is stopped', () => {
    const { graph, told, ring } = create();
    ring.start();
    expect(graph.blocked).toBe(false);
    vi.advanceTimersByTime(1_000);
    expect([graph.blocked, told]).toEqual([true, [true]]);
    context.become('running');
    expect(graph.blocked).toBe(false);
    context.become('suspended');
    expect(graph.blocked).toBe(true);
    ring.stop();
    expect([graph.blocked, told.at(-1)]).toEqual([false, false]);
  });

  it('that the person has muted blocks nothing', () => {
    const { graph, ring } = create();
    ring.muted = true;
    ring.start();
    vi.advanceTimersByTime(1_000);
    expect(graph.blocked).toBe(false);
    ring.muted = false;
    vi.advanceTimersByTime(1_000);
    expect(graph.blocked).toBe(true);
  });

  it('that goes on is begun once, a cue anew each time', () => {
    const { graph, ring, chime } = create();
    graph.open();
    context.become('running');
    ring.start();
    ring.start();
    expect(sources).toHaveLength(1);
    chime.start();
    chime.start();
    expect(sources.map(({ stopped }) => stopped)).toEqual([false, true, false]);
    sources[1]?.onended?.();
    expect(chime.on).toBe(true);
    sources[2]?.onended?.();
    expect(chime.on).toBe(false);
  });

  it('a cue that the browser holds back is dropped, not played late', () => {
    const { chime } = create();
    chime.start();
    vi.advanceTimersByTime(1_000);
    expect([chime.on, sources[0]?.stopped]).toEqual([false, true]);
  });

  it('a cue that had to wait a moment is played', () => {
    const { chime } = create();
    chime.start();
    context.become('running');
    vi.advanceTimersByTime(1_000);
    expect([chime.on, sources[0]?.stopped]).toEqual([true, false]);
  });
});
