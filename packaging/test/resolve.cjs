// Prints what a host starts for a manifest and its user's settings: `resolve.cjs MANIFEST SETTINGS`.
'use strict'

const { readFileSync } = require('node:fs')
const { dirname } = require('node:path')
const { createRequire } = require('node:module')

const mcpb = createRequire(`${__dirname}/node/package.json`)('@anthropic-ai/mcpb')
const [file, settings] = process.argv.slice(2)

mcpb
  .getMcpConfigForManifest({
    manifest: JSON.parse(readFileSync(file, 'utf8')),
    extensionPath: dirname(file),
    systemDirs: {},
    userConfig: JSON.parse(settings),
    pathSeparator: '/',
    logger: { log() {}, warn() {}, error() {} },
  })
  .then((found) => console.log(JSON.stringify(found ?? null)))
