import { Fault } from '../../ground/std/index.ts';

export function invalid(path: string, en: string, zh: string): Fault {
  return new Fault('config_invalid', { message: `${path}: ${en}`, messageZh: `${path}：${zh}`, param: path });
}
