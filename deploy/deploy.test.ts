import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig as readPortalConfig } from '../examples/portal/src/config.ts';
import { defaultPorts, randomSecrets, plan as stackPlan } from '../scripts/lib/stack.mjs';
import { readConfig as readNodeConfig } from '../sfu/src/config.ts';
import { createMetrics as createNodeMetrics, NO_NODE } from '../sfu/src/metrics.ts';
import { readConfig as readGatewayConfig } from '../signaling/src/config.ts';
import { createMetrics as createGatewayMetrics } from '../signaling/src/metrics.ts';

interface Service {
  build?: { context: string; dockerfile: string };
  image?: string;
  environment?: Record<string, string>;
  networks: string[];
  ports?: string[];
  secrets?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
  read_only?: boolean;
  stop_grace_period?: string;
}

interface Alert {
  alert: string;
  annotations: { summary: string; runbook?: string };
}

interface Compose {
  services: Record<string, Service>;
  networks: Record<string, unknown>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
}

/** From the last deadline of a process' own until it is killed. */
const MARGIN_MS = 3_000;

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = join(folder, '..');
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

const composeText = read('deploy', 'compose.yaml');
const compose: Compose = parse(composeText);
const service = (name: string): Service => {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
};

const scratch = mkdtempSync(join(tmpdir(), 'bedside-deploy-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const makeSecrets = (address: string) =>
  spawnSync('sh', [join(folder, 'make-secrets.sh'), address, scratch], { encoding: 'utf8' });
const made = makeSecrets('192.0.2.10');
const secrets = Object.fromEntries(
  readFileSync(join(scratch, '.env'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(/=(.*)/s).slice(0, 2)),
) as Record<string, string>;

/** A value as Compose gives it to the container: `${NAME:?text}` and `${NAME:-fallback}`. */
const interpolate = (value: string): string =>
  value.replace(/\$\{(\w+):([?-])([^}]*)\}/g, (_, name: string, how: string, rest: string) => {
    const given = secrets[name];
    if (given !== undefined) return given;
    if (how === '?') throw new Error(`${name} is required and make-secrets.sh does not write it`);
    return rest;
  });
const environmentOf = (name: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(service(name).environment ?? {}).map(([key, value]) => [
      key,
      interpolate(value),
    ]),
  );

const gatewayConfig = () =>
  readGatewayConfig({
    ...environmentOf('gateway'),
    BEDSIDE_TENANTS_FILE: join(scratch, 'secrets', 'tenants.json'),
  });
const nodeConfig = () => readNodeConfig(environmentOf('node'));
const portalConfig = () => readPortalConfig(environmentOf('portal'));

/** What holds where no variable says otherwise. */
const SECRET = 'a-secret-of-this-test-0123456789abcdef';
const readNodeDefaults = () => readNodeConfig({ BEDSIDE_CONTROL_SECRET: SECRET });
const readGatewayDefaults = () =>
  readGatewayConfig({
    BEDSIDE_CONTROL_SECRET: SECRET,
    BEDSIDE_GUEST_SECRET: SECRET,
    BEDSIDE_TENANTS_FILE: join(scratch, 'secrets', 'tenants.json'),
  });

describe('make-secrets.sh', () => {
  it('writes what compose.yaml requires', () => {
    expect(made.stderr).toBe('');
    const required = [...composeText.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name);
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(required));
  });

  it('writes no secret that an image or a commit could take along', () => {
    const ignored = read('.dockerignore').split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['deploy/.env', 'deploy/secrets']));
    const uncommitted = read('deploy', '.gitignore').split('\n');
    expect(uncommitted).toEqual(expect.arrayContaining(['.env', 'secrets/']));
  });

  it('keeps what exists', () => {
    const before = readFileSync(join(scratch, '.env'), 'utf8');
    expect(makeSecrets('192.0.2.11').status).not.toBe(0);
    expect(readFileSync(join(scratch, '.env'), 'utf8')).toBe(before);
  });
});

describe('compose.yaml', () => {
  it('gives the gateway an environment that it accepts', () => {
    const config = gatewayConfig();
    expect(config.nodes).toEqual([`ws://node:${nodeConfig().port}`]);
  });

  it('gives the node an environment that it accepts', () => {
    const config = nodeConfig();
    expect(config.mediaAddresses).toEqual([{ ip: '0.0.0.0', announced: '192.0.2.10' }]);
    expect(config.control).toEqual(gatewayConfig().control);
  });

  it('gives the portal a key and a secret that the gateway knows', () => {
    const { tenant: id, kid, secret, apiKey } = portalConfig();
    const [tenant] = gatewayConfig().tenants;
    expect(tenant?.id).toBe(id);
    expect(tenant?.apiKeys).toContain(apiKey);
    expect(tenant?.secrets).toContainEqual({ kid, secret });
  });

  it('sets only variables that the services read', () => {
    const shared =
      read('service', 'src', 'control.ts') + read('service', 'src', 'redis', 'settings.ts');
    const sources = {
      gateway: read('signaling', 'src', 'config.ts') + shared,
      node: read('sfu', 'src', 'config.ts') + shared,
      portal: read('examples', 'portal', 'src', 'config.ts'),
    };
    for (const [name, source] of Object.entries(sources)) {
      for (const variable of Object.keys(environmentOf(name))) {
        expect(source, `${name} reads ${variable}`).toMatch(new RegExp(`\\b${variable}\\b`));
      }
    }
  });

  it('lets a process finish in order before it is killed', () => {
    const { drainMs, shutdownMs } = nodeConfig();
    const graceMs = (name: string) =>
      Number(/^(\d+)s$/.exec(service(name).stop_grace_period ?? '')?.[1]) * 1_000;
    expect(graceMs('node')).toBeGreaterThanOrEqual(drainMs + shutdownMs + MARGIN_MS);
    expect(graceMs('gateway')).toBeGreaterThanOrEqual(gatewayConfig().shutdownMs + MARGIN_MS);
  });

  it('publishes one UDP and one TCP port a worker', () => {
    const { mediaPort, workers } = nodeConfig();
    const range = `${mediaPort}-${mediaPort + workers - 1}`;
    expect(service('node').ports).toEqual([`${range}:${range}/udp`, `${range}:${range}/tcp`]);
  });

  it('publishes the ports that gateway and portal listen on, on loopback', () => {
    const { port } = gatewayConfig();
    expect(service('gateway').ports).toEqual([`127.0.0.1:${port}:${port}`]);
    const portal = portalConfig().port;
    expect(service('portal').ports).toEqual([`127.0.0.1:${portal}:${portal}`]);
  });

  it('asks /readyz on the ops ports', () => {
    const test = (name: string) => service(name).healthcheck?.test.join(' ');
    expect(test('gateway')).toContain(`http://127.0.0.1:${gatewayConfig().opsPort}/readyz`);
    expect(test('node')).toContain(`http://127.0.0.1:${nodeConfig().opsPort}/readyz`);
  });

  it('gives every service a health check, and names the version of every image', () => {
    for (const [name, { healthcheck, image }] of Object.entries(compose.services)) {
      expect(healthcheck?.test.length, name).toBeGreaterThan(1);
      if (image !== undefined) expect(image).toMatch(/:v?\d+\.\d+/);
    }
  });

  it('builds the images of docker/', () => {
    for (const name of ['gateway', 'node', 'portal']) {
      const dockerfile = `deploy/docker/${name}.Dockerfile`;
      expect(service(name).build).toEqual({ context: '..', dockerfile });
    }
  });

  it('mounts every root file system read-only', () => {
    for (const [name, { read_only }] of Object.entries(compose.services)) {
      expect(read_only, name).toBe(true);
    }
  });

  it('declares the networks, volumes and secrets that services name, and no other', () => {
    const services = Object.values(compose.services);
    const named = (pick: (service: Service) => string[]) => new Set(services.flatMap(pick));
    expect(named((s) => s.networks)).toEqual(new Set(Object.keys(compose.networks)));
    expect(named((s) => s.secrets ?? [])).toEqual(new Set(Object.keys(compose.secrets)));
    expect(
      named((s) =>
        (s.volumes ?? []).map((v) => v.split(':')[0] ?? '').filter((v) => /^\w/.test(v)),
      ),
    ).toEqual(new Set(Object.keys(compose.volumes)));
  });
});

describe.each([
  { unit: 'gateway', longestMs: readGatewayDefaults().shutdownMs },
  { unit: 'node', longestMs: readNodeDefaults().drainMs + readNodeDefaults().shutdownMs },
])('systemd/bedside-$unit.service', ({ unit, longestMs }) => {
  const text = read('deploy', 'systemd', `bedside-${unit}.service`);
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1];

  it('lets the process finish in order, and signals it alone', () => {
    expect(Number(setting('TimeoutStopSec')) * 1_000).toBeGreaterThanOrEqual(longestMs + MARGIN_MS);
    expect(setting('KillMode')).toBe('mixed');
  });

  it('does not start again what a wrong variable has ended', () => {
    expect(setting('RestartPreventExitStatus')).toBe('78');
  });

  it('starts what the image starts', () => {
    const [command] = [...read('deploy', 'docker', `${unit}.Dockerfile`).matchAll(/^CMD (.*)$/gm)];
    const [, ...args]: string[] = JSON.parse(command?.[1] ?? '[]');
    expect(setting('ExecStart')?.split(' ').slice(1)).toEqual(args);
  });
});

describe('haproxy.cfg', () => {
  const servers = (backend: string) => {
    const [, , section = ''] = read('deploy', 'haproxy', 'haproxy.cfg').split(
      new RegExp(`^(backend ${backend})$`, 'm'),
    );
    const [body = ''] = section.split(/^(?=\S)/m);
    return [...body.matchAll(/^ +server (\S+) (\S+) id (\d+) check port (\d+)$/gm)].map(
      ([, name = '', address = '', id = '', ops = '']) => ({ name, address, id, ops }),
    );
  };

  it('has the same gateways whether or not one is ready, each with a place of its own', () => {
    const ready = servers('ready');
    expect(ready.length).toBeGreaterThan(1);
    expect(servers('alive')).toEqual(ready);
    for (const key of ['name', 'address', 'id'] as const)
      expect(new Set(ready.map((each) => each[key])).size, key).toBe(ready.length);
  });

  it('asks the gateways\u2019 ports', () => {
    const { port, opsPort } = readGatewayDefaults();
    for (const { address, ops } of servers('ready')) {
      expect(address).toMatch(new RegExp(`:${port}$`));
      expect(ops).toBe(String(opsPort));
    }
  });
});

describe('prometheus', () => {
  const config: {
    rule_files: string[];
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  } = parse(read('deploy', 'prometheus', 'prometheus.yml'));

  it('reads the ops ports of gateway and node', () => {
    const targets = config.scrape_configs.flatMap((job) =>
      job.static_configs.flatMap((entry) => entry.targets),
    );
    expect(targets).toEqual([`gateway:${gatewayConfig().opsPort}`, `node:${nodeConfig().opsPort}`]);
    for (const name of ['gateway', 'node', 'prometheus']) {
      expect(service(name).networks).toContain('metrics');
    }
  });

  it('names rule files that are mounted', () => {
    for (const file of config.rule_files) {
      expect(existsSync(join(folder, file.replace('/etc/prometheus/', 'prometheus/')))).toBe(true);
    }
  });
});

describe('alerts', () => {
  const rules = read('deploy', 'prometheus', 'rules.yml');
  const exported = async () => {
    const registries = [createGatewayMetrics().registry, createNodeMetrics(NO_NODE).registry];
    const metrics = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()));
    return new Map(
      metrics.flat().map(({ name, values }) => [name, values.map(({ labels }) => labels)]),
    );
  };
  /** What `operation="heartbeat",scope=~"sockets|address"` picks: each label with the values it may have. */
  const picked = (selector: string): [string, string[]][] =>
    [...selector.matchAll(/(\w+)=~?"([^"]+)"/g)].map(([, label = '', text = '']) => [
      label,
      text.split('|'),
    ]);

  it('are about metrics that the services export', async () => {
    const metrics = await exported();
    const used = [...rules.matchAll(/\bbedside_\w+/g)];
    expect(used.length).toBeGreaterThan(0);
    for (const [name] of used)
      expect([...metrics.keys()]).toContain(name.replace(/_(bucket|count)$/, ''));
  });

  it('see the first event: what they count is there, at 0, from the start', async () => {
    const metrics = await exported();
    const counted = [...rules.matchAll(/increase\((\w+)(?:\{([^}]*)\})?/g)];
    expect(counted.length).toBeGreaterThan(0);
    for (const [, name = '', selector = ''] of counted) {
      const series = metrics.get(name) ?? [];
      expect(series, name).not.toEqual([]);
      for (const [label, values] of picked(selector))
        for (const value of values)
          expect(
            series.some((labels) => (labels as Record<string, unknown>)[label] === value),
            `${name} with ${label} ${value}`,
          ).toBe(true);
    }
  });

  it('lead to a run book, and every run book is of an alert', () => {
    const { groups }: { groups: { rules: Alert[] }[] } = parse(rules);
    const alerts = groups.flatMap((group) => group.rules);
    const page = read('docs', 'operations', 'alerts.md');
    const sections = [...page.matchAll(/^## (Bedside\w+)$/gm)].map(([, name]) => name);
    expect(sections.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
    for (const { alert, annotations } of alerts)
      expect(annotations.runbook).toBe(`docs/operations/alerts.md#${alert.toLowerCase()}`);
  });
});

describe.each(['gateway', 'node', 'portal'])('%s.Dockerfile', (name) => {
  const file = join('deploy', 'docker', `${name}.Dockerfile`);
  const lines = read(file).replaceAll(/\\\n/g, ' ').split('\n');
  const instructions = (keyword: string) =>
    lines
      .filter((line) => line.startsWith(`${keyword} `))
      .map((line) => line.slice(keyword.length + 1));

  it('copies paths that exist', () => {
    for (const copy of instructions('COPY').filter((line) => !line.startsWith('--from='))) {
      for (const source of copy.trim().split(/\s+/).slice(0, -1)) {
        expect(existsSync(join(root, source)), source).toBe(true);
      }
    }
  });

  it('knows every workspace, as npm needs them for the lock file', () => {
    const { workspaces } = JSON.parse(read('package.json'));
    const copied = instructions('COPY').flatMap((line) => line.split(/\s+/));
    for (const workspace of workspaces) expect(copied).toContain(`${workspace}/package.json`);
  });

  it('installs what the lock file says, and runs no package\u2019s script', () => {
    const installs = lines.filter((line) => /\bnpm\b/.test(line) && line.startsWith('RUN'));
    expect(installs.length).toBeGreaterThan(0);
    for (const line of installs) expect(line).toMatch(/\bnpm ci --ignore-scripts\b/);
  });

  it('is built on the Node that the project runs on', () => {
    const { node } = JSON.parse(read('package.json')).devDependencies;
    const bases = instructions('FROM').filter((line) => line.startsWith('node:'));
    expect(bases.length).toBeGreaterThan(0);
    for (const base of bases) expect(base).toMatch(`node:${node}-bookworm`);
  });

  it('starts an entry file that exists, without root', () => {
    const [command, ...flags]: string[] = JSON.parse(instructions('CMD').at(-1) ?? '[]');
    const entry = flags.pop() ?? 'missing';
    expect(existsSync(join(root, entry)), entry).toBe(true);
    expect(command).toBe('node');
    // With the flags that `npm start` gives it: they are tuning that the figures stand on.
    const started = stackPlan({
      node22: 'node',
      redisDir: '/',
      workerBin: '',
      ports: defaultPorts,
      secrets: randomSecrets(),
      workers: 1,
      logLevel: 'info',
    })[name as 'gateway' | 'node' | 'portal'];
    expect(flags).toEqual(started.args.slice(0, -1));
    expect(instructions('USER')).toEqual(['node']);
  });
});

describe('node.Dockerfile', () => {
  it('installs the packages that the set-up installs to build the worker', () => {
    const groups = read('scripts', 'lib', 'system-packages.mjs');
    const list = /\bworker: \{[\s\S]*?\bapt: \[([\s\S]*?)\]/.exec(groups)?.[1] ?? '';
    const packages = [...list.matchAll(/'([^']+)'/g)].map(([, name]) => name);
    expect(packages.length).toBeGreaterThan(0);
    const installed = read('deploy', 'docker', 'node.Dockerfile').split(/\s+/);
    expect(installed).toEqual(expect.arrayContaining(packages));
  });
});
