#!/usr/bin/env node
// A real S3 endpoint of the test's own: Debian's radosgw over one monitor and one memory-backed osd, with a fault proxy in front.
// As a program: `s3-server.mjs DIR` prints one line of JSON, {endpoint, direct, conf, access, secret, bucket}, when it can be used, and
// takes everything down on SIGTERM. As a module: startS3(dir) gives the same with stop(), admin(...args) and faults(rules).
// S3_ADDRESS: where the proxy listens, if not at loopback.
//
// radosgw checks signatures, payload hashes and If-None-Match, and knows storage classes, multipart and quotas. Expired credentials
// and a full bucket are made with `admin`: it runs radosgw-admin. Everything else comes from the proxy, as told by
// PUT ENDPOINT/-/faults with a JSON list of rules; the first that fits a request is used:
//   {kind, method, match, times, skip}   method and match (a part of the path with its query) may be left out; `skip` requests that
//                                        fit are let through first, `times` (for ever) are then treated so
//   kind  500, 503, ...  answered by the proxy with that status, the request unread by the endpoint
//         hang           no answer, the connection stays open
//         cut            the connection is closed before the endpoint sees the request
//         cut-answer     the endpoint's answer is cut in the middle of its body
//         lost           the endpoint does it, the answer never comes
//         etag           the answer's ETag is another one (`etag: true` adds that to cut-answer)
//         corrupt        a byte in the middle of the answer's body is another one
//         slow           `rate` bytes a second, each way
// GET ENDPOINT/-/seen is the list of "METHOD path?query" that came so far; PUT empties it.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const access = "TESTACCESS", secret = "test-secret/1+2";

async function freePort()
{
	const s = net.createServer().listen(0, "127.0.0.1");
	await once(s, "listening");
	const { port } = s.address();
	await new Promise((done) => s.close(done));
	return port;
}

const cephConf = (d, fsid, mon, rgw) => `[global]
fsid = ${fsid}
keyring = ${d}/keyring
mon host = [v2:127.0.0.1:${mon}]
mon initial members = a
ms bind ipv4 = true
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = ${d}/run
admin socket = ${d}/run/$name.asok
log file = ${d}/log/$name.log
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
osd pool default pg num = 1
osd pool default pg autoscale mode = off
mon max pg per osd = 500
osd objectstore = memstore
memstore device bytes = 2147483648
mon data avail crit = 1
mon data avail warn = 2
[mon.a]
mon data = ${d}/mon
[osd.0]
osd data = ${d}/osd
keyring = ${d}/osd/keyring
[client]
rgw data = ${d}/rgw
rgw frontends = beast endpoint=127.0.0.1:${rgw}
rgw thread pool size = 16
rgw crypt require ssl = false
rgw rados pool pg num min = 1
rgw bucket quota ttl = 0
rgw user quota bucket sync interval = 1
rgw cache enabled = false
rgw multipart min part size = 16384
`;

// A child that dies with us, whatever ends us.
function start(d, children, name, args)
{
	const c = spawn("setpriv", ["--pdeathsig", "KILL", name, ...args], { stdio: "ignore", env: { ...process.env, CEPH_ARGS: `-c ${d}/ceph.conf` } });
	children.push(c);
}

async function until(what, seconds, look)
{
	for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100))
		if (await look().catch(() => false))
			return;
	throw new Error(`${what} did not come up in ${seconds} s`);
}

async function startCluster(d, children)
{
	const mon = await freePort(), rgw = await freePort(), conf = `${d}/ceph.conf`;
	const fsid = (await readFile("/proc/sys/kernel/random/uuid", "utf8")).trim();
	const osdId = (await readFile("/proc/sys/kernel/random/uuid", "utf8")).trim();
	const tool = (name, ...args) => run(name, args, { timeout: 60000, env: { ...process.env, CEPH_ARGS: `-c ${conf}` } });
	const ceph = (...args) => tool("ceph", "--connect-timeout", "10", ...args);
	for (const sub of ["mon", "osd", "rgw", "log", "run"])
		await mkdir(`${d}/${sub}`, { recursive: true });
	await writeFile(conf, cephConf(d, fsid, mon, rgw));
	await tool("ceph-authtool", "-C", `${d}/keyring`, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *");
	await tool("ceph-authtool", `${d}/keyring`, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *",
		"--cap", "mgr", "allow *");
	await tool("monmaptool", "--create", "--addv", "a", `[v2:127.0.0.1:${mon}]`, "--fsid", fsid, "--clobber", `${d}/monmap`);
	await tool("ceph-mon", "-i", "a", "--mkfs", "--monmap", `${d}/monmap`, "--keyring", `${d}/keyring`);
	start(d, children, "ceph-mon", ["-i", "a", "-f"]);
	await until("the monitor", 120, async () => (await ceph("-s")).stdout);
	await ceph("osd", "new", osdId);
	const key = await ceph("auth", "get-or-create", "osd.0", "mon", "allow profile osd", "osd", "allow *", "mgr", "allow profile osd");
	await writeFile(`${d}/osd/keyring`, key.stdout);
	await tool("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osdId);
	start(d, children, "ceph-osd", ["-i", "0", "-f"]);
	await until("the osd", 120, async () => /1 up/.test((await ceph("osd", "stat")).stdout));
	await ceph("osd", "crush", "add", "osd.0", "1.0", "root=default", "host=vm").catch(() => {});
	const admin = async (...args) => (await tool("radosgw-admin", ...args)).stdout;
	await admin("user", "create", "--uid=test", "--display-name=test", `--access-key=${access}`, `--secret=${secret}`);
	const where = ["--placement-id", "default-placement", "--storage-class", "STANDARD_IA"];
	await admin("zonegroup", "placement", "add", "--rgw-zonegroup", "default", ...where);
	await admin("zone", "placement", "add", "--rgw-zone", "default", ...where, "--data-pool", "default.rgw.cold.data");
	start(d, children, "radosgw", ["-n", "client.admin", "-f"]);
	const direct = `http://127.0.0.1:${rgw}`;
	await until("radosgw", 120, async () => (await fetch(direct)).status === 200);
	return { direct, conf, admin };
}

// ---- the proxy ----

let rules = [], seen = [];

function ruleFor(req)
{
	for (const rule of rules) {
		if ((rule.method && rule.method !== req.method) || (rule.match && !req.url.includes(rule.match)))
			continue;
		if (rule.skip > 0) {
			rule.skip--;
			continue;
		}
		if (rule.times === 0)
			continue;
		if (rule.times > 0)
			rule.times--;
		return rule;
	}
	return {};
}

async function bodyOf(stream)
{
	const parts = [];
	for await (const part of stream)
		parts.push(part);
	return Buffer.concat(parts);
}

async function* paced(bytes, rate)
{
	const step = Math.max(1, Math.floor(rate / 20));
	for (let at = 0; at < bytes.length; at += step) {
		yield bytes.subarray(at, at + step);
		await sleep(50);
	}
}

function told(res, status, text)
{
	res.writeHead(status, { "content-type": "application/json" }).end(text);
}

async function control(req, res)
{
	const body = (await bodyOf(req)).toString();
	if (req.url === "/-/faults" && req.method === "PUT")
		rules = JSON.parse(body);
	else if (req.url === "/-/seen" && req.method === "PUT")
		seen = [];
	else if (req.url === "/-/seen")
		return told(res, 200, JSON.stringify(seen));
	else
		return told(res, 404, "{}");
	told(res, 200, "{}");
}

function forward(direct, req)
{
	const to = new URL(direct);
	const headers = { ...req.headers };
	delete headers.expect;
	return http.request({ host: to.hostname, port: to.port, method: req.method, path: req.url, headers, setHost: false });
}

async function answer(res, up, rule)
{
	const headers = { ...up.headers };
	if ((rule.kind === "etag" || rule.etag) && headers.etag)
		headers.etag = '"00000000000000000000000000000000"';
	if (!["cut-answer", "corrupt", "slow"].includes(rule.kind)) {
		res.writeHead(up.statusCode, headers);
		up.pipe(res);
		return;
	}
	const body = await bodyOf(up);
	if (rule.kind === "corrupt" && body.length > 0)
		body[body.length >> 1] ^= 1;
	res.writeHead(up.statusCode, headers);
	if (rule.kind === "cut-answer") {
		res.write(body.subarray(0, body.length >> 1), () => res.socket.destroy());
	} else {
		for await (const part of rule.kind === "slow" ? paced(body, rule.rate) : [body])
			res.write(part);
		res.end();
	}
}

async function proxied(direct, req, res)
{
	if (req.url.startsWith("/-/"))
		return control(req, res);
	seen.push(`${req.method} ${req.url}`);
	const rule = ruleFor(req);
	if (rule.kind === "cut")
		return req.socket.destroy();
	if (rule.kind === "hang")
		return;
	if (/^\d+$/.test(rule.kind ?? "")) {
		await bodyOf(req);
		res.writeHead(Number(rule.kind), { "content-type": "application/xml" });
		return res.end(`<Error><Code>${rule.code ?? "InternalError"}</Code><Message>told to</Message></Error>`);
	}
	const upstream = forward(direct, req);
	upstream.on("error", () => res.socket?.destroy());
	upstream.on("response", (up) => {
		if (rule.kind === "lost") {
			up.resume();
			up.on("end", () => req.socket.destroy());
		} else {
			void answer(res, up, rule).catch(() => res.socket?.destroy());
		}
	});
	if (rule.kind === "slow")
		for await (const part of paced(await bodyOf(req), rule.rate))
			upstream.write(part);
	if (rule.kind === "slow")
		upstream.end();
	else
		req.pipe(upstream);
}

async function startProxy(direct)
{
	const serve = (req, res) => void proxied(direct, req, res).catch(() => req.socket.destroy());
	const server = http.createServer(serve);
	server.on("checkContinue", (req, res) => {
		res.writeContinue();
		serve(req, res);
	});
	server.on("clientError", (e, socket) => socket.destroy());
	const address = process.env.S3_ADDRESS || "127.0.0.1";
	server.listen(0, address);
	await once(server, "listening");
	return { server, endpoint: `http://${address}:${server.address().port}` };
}

// Another program may take a port between our asking for it and its use, and a busy machine may be slow: it is tried again.
export async function startS3(dir, bucket = "tap-trading")
{
	for (let tries = 1; ; tries++) {
		try {
			return await startOnce(dir, bucket);
		} catch (e) {
			if (tries === 3)
				throw e;
			console.error(`${e.message}: once more`);
		}
	}
}

async function startOnce(dir, bucket)
{
	const children = [];
	const stop = async () => {
		for (const c of children.reverse())
			if (c.exitCode === null && c.signalCode === null) {
				c.kill("SIGKILL");
				await once(c, "exit");
			}
		await rm(dir, { recursive: true, force: true });
	};
	try {
		await mkdir(dir, { recursive: true });
		const cluster = await startCluster(dir, children);
		const { server, endpoint } = await startProxy(cluster.direct);
		await run("curl", ["-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", `${access}:${secret}`, "-X", "PUT",
			"-H", `x-amz-content-sha256: ${createHash("sha256").digest("hex")}`, `${cluster.direct}/${bucket}`]);
		return { endpoint, direct: cluster.direct, conf: cluster.conf, access, secret, bucket, admin: cluster.admin,
			faults: (list) => { rules = list; },
			stop: async () => {
				server.closeAllConnections();
				server.close();
				await stop();
			} };
	} catch (e) {
		await stop();
		throw e;
	}
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
	const s3 = await startS3(process.argv[2]);
	process.on("SIGTERM", async () => {
		await s3.stop();
		process.exit(0);
	});
	const { endpoint, direct, conf, bucket } = s3;
	console.log(JSON.stringify({ endpoint, direct, conf, access, secret, bucket }));
}
