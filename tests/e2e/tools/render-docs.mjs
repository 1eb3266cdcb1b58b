// Writes docs/api.md from docs/api.yaml and docs/ws.md from docs/ws.yaml; with --check it writes nothing and fails when they differ.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import YAML from 'yaml';

const docs = (name) => fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url));
const load = (name) => YAML.parse(readFileSync(docs(name), 'utf8'));
const api = load('api.yaml'), ws = load('ws.yaml');
const cell = (text) => String(text ?? '').replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim();

function nameOf(ref) {
	return ref.split('/').at(-1);
}

function resolved(node) {
	return node?.$ref ? { ...nameOf(node.$ref) in api.components.parameters ? api.components.parameters[nameOf(node.$ref)] : {},
		...api.components.responses[nameOf(node.$ref)] } : node;
}

// A type in a few words; a named one links to its section in api.md.
function typeOf(s, home) {
	if (s.$ref)
		return `[${nameOf(s.$ref)}](${home}#${nameOf(s.$ref).toLowerCase()})`;
	if (s.const !== undefined)
		return `\`${JSON.stringify(s.const)}\``;
	if (s.enum)
		return s.enum.map((v) => `\`${v}\``).join(', ');
	if (s.anyOf)
		return s.anyOf.map((one) => typeOf(one, home)).join(' or ');
	if (s.type === 'array')
		return s.prefixItems ? `[${s.prefixItems.map((one) => typeOf(one, home)).join(', ')}]` : `array of ${typeOf(s.items, home)}`;
	if (s.type === 'object' && s.properties)
		return `{${Object.entries(s.properties).map(([name, one]) => `${name}: ${typeOf(one, home)}`).join(', ')}}`;
	const range = s.minimum !== undefined && s.maximum !== undefined && s.maximum < 1e15 ? ` ${s.minimum} to ${s.maximum}` : '';
	return [s.type].flat().join(' or ') + range;
}

function members(schema, home) {
	const rows = Object.entries(schema.properties ?? {}).map(([name, s]) =>
		`| \`${name}\`${schema.required?.includes(name) ? '' : ' (optional)'} | ${cell(typeOf(s, home))} | ${cell(s.description)} |`);
	return rows.length ? ['| member | type | |', '| --- | --- | --- |', ...rows, ''] : [];
}

function shown(schema, home) {
	return schema.$ref ? [`${typeOf(schema, home)}`, ''] : members(schema, home);
}

function renderApi() {
	const out = ['<!-- Written from api.yaml by tests/e2e/tools/render-docs.mjs: change it there. -->', `# ${api.info.title}: the HTTP API`, '',
		api.info.description, ''];
	for (const tag of api.tags) {
		out.push(`## ${tag.description}`, '');
		for (const [path, item] of Object.entries(api.paths))
			for (const [method, o] of Object.entries(item).filter(([, one]) => one.tags?.includes(tag.name))) {
				out.push(`### ${method.toUpperCase()} ${path}`, '', `${o.summary}. ${o.security ? '' : 'Needs a session. '}`.trim(), '');
				if (o.description)
					out.push(o.description.trim(), '');
				const parameters = (o.parameters ?? []).map(resolved);
				if (parameters.length)
					out.push('| parameter | in | type | |', '| --- | --- | --- | --- |', ...parameters.map((p) =>
						`| \`${p.name}\`${p.required ? '' : ' (optional)'} | ${p.in} | ${cell(typeOf(p.schema, ''))} | ${cell(p.description)} |`), '');
				if (o.requestBody)
					out.push('Body:', '', ...shown(o.requestBody.content['application/json'].schema, ''));
				for (const [status, r] of Object.entries(o.responses).filter(([s]) => s !== 'default')) {
					const { description, content } = resolved(r);
					out.push(`Answer ${status}: ${description.toLowerCase()}.`, '', ...(content ? shown(content['application/json'].schema, '') : []));
				}
				if (o['x-codes'].length)
					out.push(`Refusals of its own: ${o['x-codes'].map((c) => `\`${c}\``).join(', ')}.`, '');
			}
	}
	out.push('## Refusals', '', '| status | code |', '| --- | --- |',
		...Object.entries(api['x-statuses']).map(([status, codes]) => `| ${status} | ${codes.map((c) => `\`${c}\``).join(', ')} |`), '', '## Types', '');
	for (const [name, s] of Object.entries(api.components.schemas)) {
		out.push(`### ${name}`, '');
		if (s.description)
			out.push(`${s.description}.`, '');
		out.push(...(s.type === 'object' ? members(s, '') : [typeOf(s, '') + (s.pattern ? ` like \`${s.pattern}\`` : ''), '']));
	}
	return out.join('\n');
}

function renderWs() {
	const out = ['<!-- Written from ws.yaml by tests/e2e/tools/render-docs.mjs: change it there. -->', `# ${ws.info.title}`, '', ws.info.description, ''];
	for (const o of Object.values(ws.operations)) {
		out.push(`## ${o.summary}`, '');
		for (const { $ref } of o.messages) {
			const m = ws.components.messages[nameOf($ref)];
			out.push(`### ${m.payload.properties.type.const}`, '', `${m.summary}.`, '', ...members(m.payload, 'api.md'));
		}
	}
	return out.join('\n');
}

let differs = false;
for (const [name, text] of [['api.md', renderApi()], ['ws.md', renderWs()]]) {
	const whole = `${text.replaceAll(/\n{3,}/g, '\n\n').trim()}\n`;
	if (!process.argv.includes('--check'))
		writeFileSync(docs(name), whole);
	else if (readFileSync(docs(name), 'utf8') !== whole) {
		differs = true;
		console.error(`docs/${name} is not what its yaml says: node tests/e2e/tools/render-docs.mjs`);
	}
}
process.exitCode = differs ? 1 : 0;
