import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a page of the site gets at the element. */
export type Embedding = 'script' | 'script-with-wrong-hash' | 'module';

export interface VisitPage {
  token?: string;
  embedding?: Embedding;
  /** Attributes of the element besides `url` and `token`, as HTML. */
  attributes?: string;
}

/**
 * A customer's own site, on another origin than the SDK's files and under as strict a policy as the
 * documentation says is enough. It also serves a page that frames another one.
 */
export class CustomerSite {
  readonly #server: Server;
  /** Where the SDK's files are, and the gateway; known only once they run. */
  portal = '';
  gateway = '';

  constructor() {
    this.#server = createServer(async (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site.invalid');
      const html = (body: string): void => {
        response.setHeader('Content-Type', 'text/html; charset=utf-8');
        response.setHeader('Content-Security-Policy', this.#policy());
        response.end(`<!doctype html><html lang="en"><title>A customer</title>${body}</html>`);
      };
      if (pathname === '/visit') html(await this.#visitPage(Object.fromEntries(searchParams)));
      else if (pathname === '/frame') html(frame(searchParams));
      else if (pathname === '/module.js') {
        response.setHeader('Content-Type', 'text/javascript');
        response.end(
          `import { defineBedsideVisit } from '${this.portal}/sdk/bedside.mjs';\ndefineBedsideVisit();`,
        );
      } else if (pathname === '/page.css') {
        response.setHeader('Content-Type', 'text/css');
        response.end(
          'html, body { margin: 0; block-size: 100%; } iframe { inline-size: 100%; block-size: 700px; }',
        );
      } else response.writeHead(204).end();
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** The same site under another name is another origin. */
  origin(host = '127.0.0.1'): string {
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  visit(page: VisitPage, host?: string): string {
    return `${this.origin(host)}/visit?${new URLSearchParams({ ...page })}`;
  }

  /** A page that shows another origin's page of the site in a frame. */
  framed(page: VisitPage, allow: string): string {
    const src = this.visit(page, 'localhost');
    return `${this.origin()}/frame?${new URLSearchParams({ src, allow })}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #policy(): string {
    return [
      "default-src 'none'",
      `script-src 'self' ${this.portal}`,
      `connect-src ${this.gateway.replace(/^http/, 'ws')}`,
      "style-src 'self'",
      "img-src 'self'",
      `frame-src ${this.origin('localhost')}`,
      "require-trusted-types-for 'script'",
      'trusted-types lit-html',
    ].join('; ');
  }

  async #visitPage({
    token = '',
    embedding = 'script',
    attributes = '',
  }: VisitPage): Promise<string> {
    const built = (await (await fetch(`${this.portal}/sdk/integrity.json`)).json()) as {
      'bedside.js': { integrity: string };
    };
    const { integrity } = built['bedside.js'];
    const hash = embedding === 'script' ? integrity : integrity.replace(/.{8}$/, 'AAAAAAAA');
    const script =
      embedding === 'module'
        ? '<script type="module" src="/module.js"></script>'
        : `<script src="${this.portal}/sdk/bedside.js" integrity="${hash}" crossorigin="anonymous" defer></script>`;
    return `<link rel="stylesheet" href="/page.css">${script}
      <bedside-visit url="${this.gateway}" token="${token}" lang="en" ${attributes}></bedside-visit>`;
  }
}

const frame = (query: URLSearchParams): string =>
  `<link rel="stylesheet" href="/page.css"><iframe title="Visit" src="${query.get('src')?.replaceAll('&', '&amp;')}" allow="${query.get('allow')}"></iframe>`;
