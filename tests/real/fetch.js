// fetch: a program for node.exe that asks a server on this host for pages, all at once
//
// Copyright 2026 the Tawny authors
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// usage: fetch PORT PATH...
'use strict';
const crypto = require('crypto');
const http = require('http');

const [port, ...paths] = process.argv.slice(2);

const fetch = path => new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, path }, response => {
        const hash = crypto.createHash('sha256');
        let length = 0;
        response.on('data', data => {
            hash.update(data);
            length += data.length;
        });
        response.on('error', reject);
        response.on('end', () => resolve([path, response.statusCode,
            response.headers['content-type'], length, hash.digest('hex').slice(0, 16)].join(' ')));
    }).on('error', reject);
});

Promise.all(paths.map(fetch)).then(all => process.stdout.write(all.join('\n') + '\n'));
