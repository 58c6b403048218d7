import { accessError, valueError } from './faults.ts'
import { findExternal } from './external.ts'
import { f, type Model, type Models } from './model.ts'
import { follow } from './orm.ts'
import { textOf, wordOf } from './values.ts'

/** People, places and names of records: what every database has. */

const named: Model = { fields: { name: f.char({ required: true }) } }

const ADMIN = 2

const partner: Model = {
  fields: {
    name: f.char(),
    email: f.char(),
    phone: f.char(),
    street: f.char(),
    street2: f.char(),
    city: f.char(),
    zip: f.char(),
    state_id: f.one('res.country.state'),
    country_id: f.one('res.country'),
    parent_id: f.one('res.partner'),
    type: f.choice({ default: 'contact' }),
    vat: f.char(),
    ref: f.char(),
    company_type: f.choice({ default: 'person' }),
    customer_rank: f.integer(),
    active: f.flag({ default: true }),
  },
  display: (env, row) => {
    const parent = follow(env, row, 'parent_id', 'res.partner')
    const name = textOf(row, 'name') || textOf(row, 'type')
    return parent === undefined ? name : `${textOf(parent, 'name')}, ${name}`
  },
}

const data: Model = {
  fields: {
    module: f.char({ required: true, default: '' }),
    name: f.char({ required: true }),
    model: f.char({ required: true }),
    res_id: f.integer(),
    noupdate: f.flag(),
  },
  unique: { name: 'ir_model_data_module_name_uniq_index', fields: ['name', 'module'] },
  methods: {
    check_object_reference: {
      on: 'model',
      args: { module: 'required', xml_id: 'required', raise_on_access_error: 'optional' },
      run: (env, _, { module, xml_id }) => {
        const external = `${wordOf(module)}.${wordOf(xml_id)}`
        const found = findExternal(env, external)
        if (found === undefined || env.row(found.model, found.id) === undefined)
          throw valueError(`External ID not found in the system: ${external}`)
        return [found.model, found.id]
      },
    },
  },
}

const users: Model = {
  fields: { name: f.char(), login: f.char(), company_id: f.one('res.company'), active: f.flag({ default: true }) },
  methods: {
    context_get: { on: 'model', args: {}, run: () => ({ lang: 'en_US', tz: false, uid: ADMIN }) },
    has_group: { on: 'records', args: { group_ext_id: 'required' }, run: () => true },
  },
}

export const BASE: Models = {
  'res.company': { fields: { name: f.char(), currency_id: f.one('res.currency'), partner_id: f.one('res.partner') } },
  'res.currency': { fields: { name: f.char(), active: f.flag({ default: true }) } },
  'res.country': { fields: { name: f.char(), code: f.char() } },
  'res.country.state': { fields: { name: f.char(), code: f.char(), country_id: f.one('res.country') } },
  'res.users': users,
  'res.users.apikeys': {
    fields: { name: f.char(), user_id: f.one('res.users'), expiration_date: f.datetime() },
    created: () => {
      throw accessError("You are not allowed to create 'Users API Keys' (res.users.apikeys) records.")
    },
  },
  'res.partner': partner,
  'ir.model.data': data,
  'uom.uom': named,
  'ir.sequence': { fields: { name: f.char(), number: f.integer() } },
  'product.pricelist': { fields: { name: f.char(), currency_id: f.one('res.currency') } },
  'delivery.carrier': {
    fields: {
      name: f.char(),
      delivery_type: f.choice({ default: 'fixed' }),
      integration_level: f.choice({ default: 'rate' }),
    },
  },
}
