// A client of OPC UA that nobody of this project wrote. One command a line on standard input, one answer a line on
// standard output, both JSON; notifications are kept until they are asked for.
//
//   node opcua_client.mjs ENDPOINT '{"pki": FOLDER, "security": true, "certificate": ..., "key": ..., "user": ...}'

import { createInterface } from "node:readline";

import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import {
  AttributeIds,
  BrowseDirection,
  DataType,
  MessageSecurityMode,
  NodeClass,
  OPCUAClient,
  SecurityPolicy,
  TimestampsToReturn,
  UserTokenType,
  Variant,
  VariantArrayType,
  constructEventFilter,
  coerceNodeId,
} from "node-opcua-client";

const [endpoint, optionsText = "{}"] = process.argv.slice(2);
const options = JSON.parse(optionsText);
const noticed = [];

function plain(value) {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return value.toString("hex");
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value, plain);
  if (value instanceof Variant) return plain(value.value);
  if (typeof value === "object") {
    if (value.constructor?.name === "NodeId") return value.toString();
    if (value.constructor?.name === "LocalizedText") return value.text;
    if (value.constructor?.name === "QualifiedName") return value.name;
    const found = { $type: value.constructor?.name };
    for (const key of Object.keys(value)) {
      if (!key.startsWith("_") && typeof value[key] !== "function") found[key] = plain(value[key]);
    }
    return found;
  }
  return value;
}

async function made(session, argument) {
  if (argument.struct) {
    const value = await session.constructExtensionObject(coerceNodeId(argument.struct), argument.value);
    return new Variant({ dataType: DataType.ExtensionObject, value });
  }
  const arrayType = Array.isArray(argument.value) ? VariantArrayType.Array : VariantArrayType.Scalar;
  return new Variant({ dataType: DataType[argument.type], arrayType, value: argument.value });
}

const commands = {
  async read(session, { node }) {
    const found = await session.read({ nodeId: node, attributeId: AttributeIds.Value });
    return { status: found.statusCode.name, value: plain(found.value) };
  },
  async write(session, { node, type, value }) {
    const status = await session.write({
      nodeId: node,
      attributeId: AttributeIds.Value,
      value: { value: new Variant({ dataType: DataType[type], value }) },
    });
    return { status: status.name };
  },
  async browse(session, { node }) {
    const found = await session.browse({
      nodeId: node,
      browseDirection: BrowseDirection.Forward,
      referenceTypeId: "HierarchicalReferences",
      includeSubtypes: true,
      resultMask: 63,
    });
    return found.references.map((one) => ({ name: one.browseName.name, id: one.nodeId.toString(), class: NodeClass[one.nodeClass] }));
  },
  async call(session, { object, method, arguments: given }) {
    const inputArguments = [];
    for (const argument of given) inputArguments.push(await made(session, argument));
    const found = await session.call({ objectId: object, methodId: method, inputArguments });
    return { status: found.statusCode.name, outputs: (found.outputArguments ?? []).map(plain) };
  },
  async namespaces(session) {
    return await session.readNamespaceArray();
  },
  async subscribe(session, { nodes = [], events = null, fields = [] }) {
    const subscription = await session.createSubscription2({
      requestedPublishingInterval: 50,
      requestedLifetimeCount: 1000,
      requestedMaxKeepAliveCount: 20,
      maxNotificationsPerPublish: 1000,
      publishingEnabled: true,
      priority: 1,
    });
    for (const node of nodes) {
      const item = await subscription.monitor(
        { nodeId: node, attributeId: AttributeIds.Value },
        { samplingInterval: 0, discardOldest: true, queueSize: 1000 },
        TimestampsToReturn.Both,
      );
      item.on("changed", (value) => noticed.push({ node, status: value.statusCode.name, value: plain(value.value) }));
    }
    if (events) {
      const item = await subscription.monitor(
        { nodeId: events, attributeId: AttributeIds.EventNotifier },
        { samplingInterval: 0, discardOldest: true, queueSize: 1000, filter: constructEventFilter(fields) },
        TimestampsToReturn.Both,
      );
      item.on("changed", (values) => noticed.push({ event: Object.fromEntries(fields.map((f, i) => [f, plain(values[i])])) }));
    }
    return true;
  },
  async noticed() {
    return noticed.splice(0);
  },
};

async function main() {
  const secure = options.security
    ? {
        securityMode: MessageSecurityMode.SignAndEncrypt,
        securityPolicy: SecurityPolicy.Basic256Sha256,
        certificateFile: options.certificate,
        privateKeyFile: options.key,
      }
    : { securityMode: MessageSecurityMode.None, securityPolicy: SecurityPolicy.None };
  const client = OPCUAClient.create({
    applicationName: "judge",
    applicationUri: options.uri,
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 1, initialDelay: 200, maxDelay: 500 },
    keepSessionAlive: true,
    clientCertificateManager: new OPCUACertificateManager({
      rootFolder: options.pki,
      automaticallyAcceptUnknownCertificate: true,
    }),
    ...secure,
  });
  await client.connect(endpoint);
  const who = options.user
    ? { type: UserTokenType.UserName, userName: options.user, password: options.password }
    : { type: UserTokenType.Anonymous };
  const session = await client.createSession(who);
  console.log(JSON.stringify({ ok: "connected" }));
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    try {
      console.log(JSON.stringify({ ok: await commands[command.do](session, command) }));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error.message ?? error) }));
    }
  }
  await session.close();
  await client.disconnect();
}

main().catch((error) => {
  console.log(JSON.stringify({ error: String(error.message ?? error) }));
  process.exit(1);
});
