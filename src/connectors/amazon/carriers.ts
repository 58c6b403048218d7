/**
 * Amazon's codes by what a carrier is called elsewhere, letters and digits only. A code has to be spelt as Seller Central spells it;
 * these are from memory, and any other carrier goes as `Other` with its own name, which is always allowed.
 */
const CODES: Readonly<Record<string, string>> = {
  amazonlogistics: 'Amazon Logistics',
  australiapost: 'Australia Post',
  bpost: 'Bpost',
  brt: 'BRT',
  canadapost: 'Canada Post',
  chronopost: 'Chronopost',
  colissimo: 'Colissimo',
  correos: 'Correos',
  deutschepost: 'Deutsche Post',
  dhl: 'DHL',
  dhlexpress: 'DHL Express',
  dhlpaket: 'DHL',
  dpd: 'DPD',
  evri: 'Evri',
  fedex: 'FedEx',
  gls: 'GLS',
  hermes: 'Hermes',
  inpost: 'InPost',
  laposte: 'La Poste',
  mondialrelay: 'Mondial Relay',
  ontrac: 'OnTrac',
  parcelforce: 'Parcelforce',
  posteitaliane: 'Poste Italiane',
  postnl: 'PostNL',
  postnord: 'PostNord',
  purolator: 'Purolator',
  royalmail: 'Royal Mail',
  seur: 'SEUR',
  tnt: 'TNT',
  ups: 'UPS',
  usps: 'USPS',
  yodel: 'Yodel',
}

/** How a shipment names its carrier. `own`: codes by carrier name, from the settings. */
export function carrierOf(
  carrier: string | null,
  own: Readonly<Record<string, string>> = {},
): { carrierCode: string; carrierName?: string } {
  const name = carrier?.trim() ?? ''
  const set = Object.hasOwn(own, name) ? own[name] : undefined
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  const code = set ?? (Object.hasOwn(CODES, plain) ? CODES[plain] : undefined)
  return code === undefined
    ? { carrierCode: 'Other', carrierName: name === '' ? 'Other' : name.slice(0, 100) }
    : { carrierCode: code }
}
