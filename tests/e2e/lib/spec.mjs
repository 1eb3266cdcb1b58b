// docs/api.yaml and docs/ws.yaml as judges: every answer and every frame that a test sees is held against them, in both directions: a
// member, a status or a code that they do not name is a failure, as is one that they name and that is not there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv/dist/2020.js';
import YAML from 'yaml';

const read = (name) => YAML.parse(readFileSync(fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url)), 'utf8'));
export const api = read('api.yaml');
export const ws = read('ws.yaml');

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ $id: 'https://docs/api.yaml', components: api.components });
ajv.addSchema({ $id: 'https://docs/ws.yaml', components: ws.components });
const compiled = new Map();

function validate(ref, value, what) {
	if (!compiled.has(ref))
		compiled.set(ref, ajv.compile({ $ref: ref }));
	const check = compiled.get(ref);
	if (!check(value))
		assert.fail(`${what}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value).slice(0, 1500)}`);
}

// A JSON pointer's piece.
const piece = (text) => encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'));
const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

export const operations = Object.entries(api.paths).flatMap(([path, item]) => METHODS.filter((m) => item[m])
	.map((method) => ({ method: method.toUpperCase(), path, operation: item[method], seen: new Set(),
		match: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`) })));
ajv.addSchema({ $id: 'https://docs/paths', paths: api.paths, components: api.components });

export function operationOf(method, path) {
	return operations.find((o) => o.method === method && o.match.test(path.split('?')[0]));
}

// What any call may be refused with, whatever it does: at the door, by its form, or because a part is down.
export const ANYWHERE = ['malformed_request', 'not_found', 'method_not_allowed', 'body_too_large', 'unsupported_media_type', 'rate_limited',
	'internal_error', 'overloaded', 'unavailable', 'outcome_unknown'];

export function checkAnswer(method, path, status, type, body, text) {
	const what = `${method} ${path} ${status}`;
	const found = operationOf(method, path);
	if (status >= 400 && /problem\+json/.test(type)) {
		validate('https://docs/api.yaml#/components/schemas/Problem', body, what);
		if (found)
			assert.ok([...ANYWHERE, ...found.operation['x-codes']].includes(body.code), `${what}: ${body.code} is not in the document`);
		return;
	}
	if (!found)
		return; // the page's own files
	const response = found.operation.responses[status];
	assert.ok(response, `${what}: the document does not know this status: ${text.slice(0, 500)}`);
	found.seen.add(status);
	const at = response.$ref ? `https://docs/api.yaml${response.$ref}`
		: `https://docs/paths#/paths/${piece(found.path)}/${method.toLowerCase()}/responses/${status}`;
	const content = response.$ref ? api.components.responses[response.$ref.split('/').at(-1)].content : response.content;
	if (content)
		validate(`${at}/content/application~1json/schema`, body, what);
	else
		assert.equal(text, '', `${what}: an answer without a body`);
}

export const frames = Object.fromEntries(Object.entries(ws.components.messages).map(([name, m]) => [m.payload.properties.type.const, name]));

export function checkFrame(frame) {
	const name = frames[frame.type];
	assert.ok(name, `a frame that the document does not know: ${JSON.stringify(frame)}`);
	validate(`https://docs/ws.yaml#/components/messages/${name}/payload`, frame, frame.type);
}
