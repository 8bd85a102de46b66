/** Elements of a drawing as text (SVG 2, inline in HTML). Whatever stands in a record is escaped: it may be a stranger's. */
type Attribute = string | number | undefined;

/** One element. Children are markup, made by this function or by `text`. */
export function element(
  name: string,
  attributes: Readonly<Record<string, Attribute>>,
  ...children: readonly string[]
): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) => ` ${key}="${typeof value === 'number' ? short(value) : escapeText(String(value))}"`,
    )
    .join('');
  return `<${name}${written}>${children.join('')}</${name}>`;
}

/** What a person typed or a host said, as markup that shows it. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

interface TextOptions {
  readonly class?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
}

export function label(x: number, y: number, text: string, options: TextOptions = {}): string {
  const { anchor = 'start', class: name = 'label' } = options;
  return element('text', { x, y, class: name, 'text-anchor': anchor }, escapeText(text));
}

/** Shown when the pointer rests on the element around it: needs no script. */
export function tip(text: string): string {
  return element('title', {}, escapeText(text));
}

/** A drawing as wide as its column. `description` is for whoever does not see it. */
export function drawing(
  size: { readonly width: number; readonly height: number },
  description: string,
  ...children: readonly string[]
): string {
  const viewBox = `0 0 ${size.width} ${size.height}`;
  return element('svg', { viewBox, role: 'img', 'aria-label': description }, ...children);
}

/** A hundredth of a pixel is seen by nobody. */
function short(value: number): string {
  return String(Number(value.toFixed(2)));
}
