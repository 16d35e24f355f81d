import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { bundleFixture } from './bundle.ts';
import type { Fixture, Scene } from './fixture.ts';

/** As strict as a careful portal's: the element needs no more. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types lit-html";
const HTML = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width" />
    <title>A clinic</title>
    <link rel="stylesheet" href="/page.css" />
    <script src="/fixture.js"></script>
  </head>
  <body><main></main></body>
</html>`;
const CSS = 'html, body, main { margin: 0; block-size: 100%; }';

/** Serves a page on which the element can be put, and opens it. */
export class ElementPages {
  readonly #server: Server;
  readonly #browser: Browser;

  private constructor(server: Server, browser: Browser) {
    this.#server = server;
    this.#browser = browser;
  }

  static async serve(browser: Browser): Promise<ElementPages> {
    const files: Record<string, [type: string, body: string]> = {
      '/': ['text/html', HTML],
      '/page.css': ['text/css', CSS],
      '/fixture.js': ['text/javascript', await bundleFixture()],
    };
    const server = createServer((request, response) => {
      const [type, body] = files[request.url ?? ''] ?? [];
      response.setHeader('Content-Security-Policy', POLICY);
      if (!type) response.statusCode = 204;
      else response.setHeader('Content-Type', `${type}; charset=utf-8`);
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ElementPages(server, browser);
  }

  async open(size = { width: 1280, height: 800 }, options: BrowserContextOptions = {}) {
    const context = await this.#browser.newContext({ viewport: size, ...options });
    const page = await context.newPage();
    const { port } = this.#server.address() as AddressInfo;
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`policy: ${violatedDirective} ${blockedURI}`),
      );
    });
    const element = new ElementPage(page);
    await page.goto(`http://127.0.0.1:${port}/`);
    return element;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** One page with the fixture in it. */
export class ElementPage {
  readonly page: Page;
  /** Console errors, uncaught exceptions and what the policy blocked, in order. */
  readonly complaints: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  async mount(scene: Scene = {}): Promise<this> {
    await this.page.evaluate((given) => window.fixture.mount(given), scene);
    return this;
  }

  /** Runs a function on the fixture in the page, then lets the element draw itself. */
  async do(body: (fixture: Fixture) => unknown): Promise<void> {
    await this.page.evaluate(
      `(async () => { await (${body.toString()})(window.fixture); await window.fixture.settled(); })()`,
    );
  }

  get<Result>(body: (fixture: Fixture) => Result | Promise<Result>): Promise<Awaited<Result>> {
    return this.page.evaluate(`(${body.toString()})(window.fixture)`) as Promise<Awaited<Result>>;
  }

  /** Within the element; Playwright looks through open shadow roots. */
  $(selector: string): Locator {
    return this.page.locator('bedside-visit').locator(selector);
  }

  async text(selector: string): Promise<string> {
    return ((await this.$(selector).textContent()) ?? '').replaceAll(/\s+/g, ' ').trim();
  }

  /** `data-action` or else the tag of what has the focus in the element; undefined where nothing has. */
  focused(): Promise<string | undefined> {
    return this.get(({ element }) => {
      const { activeElement } = element.shadowRoot as ShadowRoot;
      if (!(activeElement instanceof HTMLElement)) return undefined;
      return activeElement.dataset.action ?? activeElement.localName;
    });
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}
