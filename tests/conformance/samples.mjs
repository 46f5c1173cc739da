// What a person or a model would fill in: a plausible value for a JSON schema.

/** The default, else the first of the choices, else something of the type. */
export function sample(schema = {}) {
  if (schema.default !== undefined) return schema.default;
  const choice = schema.const ?? schema.enum?.[0] ?? (schema.oneOf ?? schema.anyOf)?.[0]?.const;
  if (choice !== undefined) return choice;
  switch ([schema.type].flat()[0]) {
    case 'object':
      return fields(schema, (name) => schema.required?.includes(name));
    case 'array':
      return [sample(schema.items)];
    case 'boolean':
      return true;
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    default:
      return 'text';
  }
}

/** Arguments of a tool: no more than it requires. */
export function toolArguments({ inputSchema }) {
  return sample({ type: 'object', ...inputSchema });
}

/** The answer of a person who accepts a form as it is, and fills in what has no default. */
export function acceptedForm({ requestedSchema }) {
  return { action: 'accept', content: fields(requestedSchema ?? {}, () => true) };
}

function fields({ properties = {} }, wanted) {
  const names = Object.keys(properties).filter(wanted);
  return Object.fromEntries(names.map((name) => [name, sample(properties[name])]));
}
