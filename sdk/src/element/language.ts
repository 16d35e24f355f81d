/** `lang` of the nearest ancestor that has one, across shadow roots; else the browser's language. */
export function inheritedLanguage(element: Element): string {
  for (let node: Element | undefined = element; node; ) {
    const found: Element | null = node.closest('[lang]');
    if (found) return found.getAttribute('lang') || navigator.language;
    const root: Node = node.getRootNode();
    node = root instanceof ShadowRoot ? root.host : undefined;
  }
  return navigator.language;
}
