// ports: a program for node.exe that listens at ports, those named and those that it is assigned
//
// Copyright 2026 the Tawny authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: ports listen {tcp|udp} HOST PORT [{tcp|udp} HOST PORT]...
//        ports assigned COUNT TCP-RANGES UDP-RANGES
//
// The first says of each what came of it. The second has COUNT TCP sockets listen and half as many
// connect to them, and binds COUNT UDP sockets, all at once, and says how many of their ports are in
// the ranges of their protocol, as in 5000-5019,5030-5039.
'use strict';
const dgram = require('dgram');
const events = require('events');
const net = require('net');

const say = (...words) => process.stdout.write(words.join(' ') + '\n');

async function listen(protocol, host, port) {
    let socket;
    if (protocol === 'udp') {
        socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
        socket.bind(port, host);
    } else {
        socket = net.createServer(connection => connection.on('error', () => {}));
        socket.listen(port, host);
    }
    await events.once(socket, 'listening');
    return socket;
}

async function connect(server) {
    const socket = net.connect(server.address().port, '127.0.0.1');
    await events.once(socket, 'connect');
    return socket;
}

async function try_ports(args) {
    while (args.length) {
        const [protocol, host, port] = args.splice(0, 3);
        const result = await listen(protocol, host, +port).then(socket => {
            socket.close();
            return 'success';
        }, error => error.code);
        say(protocol, host, port, result);
    }
}

function count(what, ranges, ports) {
    const limits = ranges.split(',').map(range => range.split('-').map(Number));
    const inside = ports.filter(port =>
        limits.some(([first, last]) => port >= first && port <= last));
    say(`${what}: ${ports.length}, in ${ranges}: ${inside.length}`);
}

async function take_assigned(number, tcp, udp) {
    const hosts = ['127.0.0.1', '0.0.0.0', '::'];
    const all = [...Array(number).keys()];
    const servers = await Promise.all(all.map(i => listen('tcp', hosts[i % 3], 0)));
    const clients = await Promise.all(servers.slice(number / 2).map(connect));
    const sockets = await Promise.all(all.map(i => listen('udp', hosts[i % 3], 0)));
    count('listening', tcp, servers.map(socket => socket.address().port));
    count('connected', tcp, clients.map(socket => socket.localPort));
    count('datagrams', udp, sockets.map(socket => socket.address().port));
    process.exit();
}

const [command, ...args] = process.argv.slice(2);
if (command === 'listen') try_ports(args);
else take_assigned(+args[0], args[1], args[2]);
