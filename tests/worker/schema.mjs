// As much of JSON Schema as the admin API's document uses: what is wrong with a value, as a list of paths and words.
export function faults(document, schema, value, path = '$') {
  const inside = (schema, value, path) => faults(document, schema, value, path);
  if (schema.$ref) return inside(document.components.schemas[schema.$ref.split('/').at(-1)], value, path);
  if (schema.anyOf) return schema.anyOf.some((one) => inside(one, value, path).length === 0) ? [] : [`${path}: ${JSON.stringify(value)} fits none of ${JSON.stringify(schema.anyOf)}`];
  if (schema.type && !isOf(schema.type, value)) return [`${path}: ${JSON.stringify(value)} is no ${schema.type}`];
  if (schema.enum && !schema.enum.includes(value)) return [`${path}: ${JSON.stringify(value)} is none of ${schema.enum}`];
  if (schema.pattern && !new RegExp(schema.pattern).test(value)) return [`${path}: ${value} is not ${schema.pattern}`];
  if (schema.type === 'array') return value.flatMap((item, index) => inside(schema.items, item, `${path}[${index}]`));
  if (schema.type !== 'object') return [];
  const known = schema.properties ?? {};
  const missing = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${path}.${name} is missing`);
  const others = schema.additionalProperties;
  const inner = Object.entries(value).flatMap(([name, item]) => (name in known ? inside(known[name], item, `${path}.${name}`) : others === false ? [`${path}.${name} is not in the document`] : others ? inside(others, item, `${path}.${name}`) : []));
  return [...missing, ...inner];
}

function isOf(type, value) {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}
