// conversation: a program for node.exe that is server and client, and says what it saw
//
// Copyright 2026 the Tawny authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What it prints is the same each time: no ports that were assigned, no times. It ends with "done".
'use strict';
const cluster = require('cluster');
const crypto = require('crypto');
const dgram = require('dgram');
const dns = require('dns').promises;
const events = require('events');
const http = require('http');
const net = require('net');
const os = require('os');

const families = [['IPv4', '127.0.0.1', 'udp4'], ['IPv6', '::1', 'udp6']];
const say = (...words) => process.stdout.write(words.join(' ') + '\n');
const digest = data => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);
// The same bytes each time, no two stretches of them alike.
const bytes = (length, seed) =>
    crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16))
        .update(Buffer.alloc(length));

async function listen(server, ...where) {
    server.listen(...where);
    await events.once(server, 'listening');
    return server.address();
}

async function bind(socket, ...where) {
    socket.bind(...where);
    await events.once(socket, 'listening');
    return socket.address();
}

// The code of the error that a promise is rejected with.
const failure = promise => promise.then(() => 'success', error => `${error.syscall} ${error.code}`);

async function read(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks);
}

async function close(server) {
    server.close();
    await events.once(server, 'close');
}

// Many connections at once, each with more than the buffers hold.
async function echo(family, host) {
    const server = net.createServer({ allowHalfOpen: true }, socket => socket.pipe(socket));
    const address = await listen(server, 0, host);
    say('tcp', address.address, address.family, address.port > 0 ? 'a port' : 'no port');
    const all = await Promise.all([...Array(20).keys()].map(async number => {
        const sent = bytes(200000 + number, number);
        const socket = net.connect(address.port, host);
        await events.once(socket, 'connect');
        const ends = [socket.localAddress, socket.remoteAddress, socket.remoteFamily,
            socket.remotePort === address.port, socket.localPort !== address.port];
        socket.end(sent);
        const got = await read(socket);
        return [number, ...ends, got.length, digest(got), got.equals(sent)].join(' ');
    }));
    await close(server);
    for (const line of all) say('tcp', family, line);
}

// As much in one direction as makes the sender wait.
async function stream(family, host) {
    const sent = bytes(4000000, 99);
    const server = net.createServer(socket => socket.end(sent));
    const { port } = await listen(server, 0, host);
    const got = await read(net.connect(port, host));
    await close(server);
    say('stream', family, got.length, got.equals(sent));
}

function request(agent, port, host, method, path, body) {
    return new Promise((resolve, reject) => {
        const outgoing = http.request({ agent, port, host, method, path }, async response => {
            const got = await read(response);
            resolve([method, path, response.statusCode, response.headers['x-peer'],
                response.headers['content-type'], got.length, digest(got)].join(' '));
        });
        outgoing.on('error', reject);
        outgoing.end(body);
    });
}

async function web(family, host) {
    const server = http.createServer(async (incoming, response) => {
        const body = await read(incoming);
        response.statusCode = incoming.url === '/nothing' ? 404 : 200;
        response.setHeader('Content-Type', 'text/plain');
        response.setHeader('X-Peer', incoming.socket.remoteAddress);
        response.end(`${incoming.method} ${incoming.url} ${digest(body)}`.repeat(1000));
    });
    const { port } = await listen(server, 0, host);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 3 });
    const all = await Promise.all([...Array(10).keys()].map(number => number % 2 ?
        request(agent, port, host, 'GET', number === 5 ? '/nothing' : `/${number}`) :
        request(agent, port, host, 'POST', `/${number}`, bytes(50000, number))));
    agent.destroy();
    await close(server);
    for (const line of all) say('http', family, line);
}

// One at a time, so that none is dropped.
async function datagrams(family, host, type) {
    const server = dgram.createSocket(type);
    const { address, port, family: bound } = await bind(server, 0, host);
    say('udp', address, bound, port > 0 ? 'a port' : 'no port');
    server.on('message', (message, sender) => server.send(message, sender.port, sender.address));
    const client = dgram.createSocket(type);
    for (const length of [0, 1, 100, 1472, 5000, 9000, 2, 3]) {
        const sent = bytes(length, length % 256);
        client.send(sent, port, host);
        const [got, sender] = await events.once(client, 'message');
        say('udp', family, sender.address, sender.family, sender.size, sender.port === port,
            got.equals(sent));
    }
    say('udp', family, 'unbound client', client.address().address);
    client.close();
    const connected = dgram.createSocket(type);
    connected.connect(port, host);
    await events.once(connected, 'connect');
    connected.send('connected');
    const [got] = await events.once(connected, 'message');
    say('udp', family, got, connected.remoteAddress().address);
    connected.close();
    server.close();
}

async function refusals(family, host, type) {
    const server = net.createServer();
    const { port } = await listen(server, 0, host);
    say('in use', family, await failure(listen(net.createServer(), port, host)));
    await close(server);
    // Not the one just closed: the client might be assigned that, and be connected to itself.
    const connection = net.connect(40001, host);
    say('closed', family, await failure(events.once(connection, 'connect')));
    say('free again', family, (await listen(server, port, host)).port === port);
    await close(server);
    const first = dgram.createSocket(type);
    const bound = await bind(first, 0, host);
    const second = dgram.createSocket(type);
    say('in use', family, 'udp', await failure(bind(second, bound.port, host)));
    first.close();
    say('no address of ours', family, await failure(listen(net.createServer(), 0,
        family === 'IPv4' ? '192.0.2.200' : '2001:db8::200')));
}

// One socket for both families, as node has it where no address is given.
async function dual() {
    const server = net.createServer(socket => socket.end(socket.remoteAddress));
    const { address, port } = await listen(server, 0);
    say('dual', address, await read(net.connect(port, '127.0.0.1')),
        await read(net.connect(port, '::1')));
    await close(server);
}

// The server's socket is handed to other processes.
async function workers() {
    cluster.setupPrimary({ args: ['worker'] });
    const all = [cluster.fork(), cluster.fork()];
    const ports = await Promise.all(all.map(async worker =>
        (await events.once(worker, 'listening'))[0].port));
    say('workers', ports[0] === ports[1] ? 'share a port' : ports);
    for (let i = 0; i < 4; i++) say('workers', await read(net.connect(ports[0], '127.0.0.1')));
    for (const worker of all) {
        const ended = events.once(worker, 'exit');
        worker.process.kill();
        await ended;
    }
}

// Not every host knows itself by that name.
async function names() {
    say('localhost', await dns.lookup('localhost', { all: true }).then(
        list => list.map(({ address, family }) => `${address} ${family}`).join(', '),
        error => error.code));
    say('no such name', await failure(dns.lookup('nothing.invalid')));
    for (const [name, list] of Object.entries(os.networkInterfaces()))
        for (const { address, family, internal } of list)
            say('interface', name, address, family, internal);
}

async function main() {
    say(process.version, process.platform, process.arch, os.release());
    for (const [family, host, type] of families) {
        await echo(family, host);
        await stream(family, host);
        await web(family, host);
        await datagrams(family, host, type);
        await refusals(family, host, type);
    }
    await dual();
    await workers();
    await names();
    say('done');
}

if (cluster.isPrimary) main();
else net.createServer(socket => socket.end('from a worker')).listen(0, '127.0.0.1');
